// SPDX-License-Identifier: GPL-2.0-or-later
// Why there is no picture, in words, from the Device's status. Shows nothing itself.

const REASONS = {
	no_cable: ["No cable", "Nothing is plugged into the Device's video input. Connect the Target's screen output to it."],
	no_signal: ["No signal", "The Target sends no picture: it may be off, asleep, or showing its picture elsewhere."],
	no_sync: ["No sync", "The Target's picture does not hold still. The Target may be changing its resolution."],
	protected: ["Copy protected", "The Target demands copy protection (HDCP) and hides its picture. Close the protected film."],
	stalled: ["Capture hardware stopped", "The capture hardware does not answer. Keys and pointer still work."],
	quarantined: ["Capture hardware shut off", "The capture hardware misbehaved, so its driver shut it off. The Device's log says how."],
	gone: ["Capture hardware missing", "The Device's capture hardware was removed, or its driver is not loaded."],
};

export function size(capture) {
	const hertz = capture.refresh_mhz / 1000;

	if (!capture.width)
		return "";
	return `${capture.width} × ${capture.height}` + (hertz ? ` @ ${Number(hertz.toFixed(2))} Hz` : "");
}

// null when the picture is there, else [what, why and what to do].
export function noPicture(capture) {
	if (capture.signal === "ok")
		return null;
	if (capture.signal === "unsupported")
		return ["Unsupported mode", `The Target shows ${size(capture) || "a mode"}, which the Device cannot capture. ` +
			"Choose another resolution on the Target."];
	return REASONS[capture.signal] || ["No picture", "The Device does not say why."];
}
