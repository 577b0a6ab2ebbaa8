// SPDX-License-Identifier: GPL-2.0-or-later
/* The Device's status as JSON, for the API and for pages that watch it. */
#include "device/api_parts.h"

#include <jansson.h>

#include "device/rights.h"
#include "kmod/uapi/kvmcap.h"

static const char *signal_name(uint32_t signal)
{
	static const char *const names[] = {
		[KVMCAP_SIGNAL_OK] = "ok",
		[KVMCAP_SIGNAL_NO_CABLE] = "no_cable",
		[KVMCAP_SIGNAL_NO_SIGNAL] = "no_signal",
		[KVMCAP_SIGNAL_NO_SYNC] = "no_sync",
		[KVMCAP_SIGNAL_UNSUPPORTED] = "unsupported",
		[KVMCAP_SIGNAL_PROTECTED] = "protected",
		[KVMCAP_SIGNAL_STALLED] = "stalled",
		[KVMCAP_SIGNAL_QUARANTINED] = "quarantined",
		[KVMCAP_SIGNAL_GONE] = "gone",
	};

	return signal < sizeof(names) / sizeof(names[0]) ? names[signal] : "gone";
}

static json_t *capture_json(const struct bus_status *status)
{
	return json_pack("{s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "signal",
			 signal_name(status->signal), "width", (json_int_t)status->width, "height",
			 (json_int_t)status->height, "refresh_mhz", (json_int_t)status->refresh_mhz,
			 "generation", (json_int_t)status->generation, "seq", (json_int_t)status->seq,
			 "hw_seq", (json_int_t)status->hw_seq, "frames", (json_int_t)status->frames,
			 "overruns", (json_int_t)status->overruns);
}

static json_t *target_json(const struct bus_status *status)
{
	return json_pack("{s:b, s:{s:b, s:b, s:b}}", "usb_configured", status->usb_configured, "leds", "num",
			 status->leds & 1, "caps", status->leds >> 1 & 1, "scroll", status->leds >> 2 & 1);
}

static json_t *session_json(const struct bus_session *session)
{
	return json_pack("{s:I, s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "id",
			 (json_int_t)session->id, "user", session->user, "peer", session->peer, "encoding",
			 session->encoding, "view_only", !(session->rights & RIGHT_CONTROL), "since_ms",
			 (json_int_t)session->since_ms, "video_bytes", (json_int_t)session->video_bytes,
			 "updates", (json_int_t)session->updates, "hw_seq", (json_int_t)session->hw_seq,
			 "keys", (json_int_t)session->keys, "pointers", (json_int_t)session->pointers);
}

char *api_status_json(struct api *api, const struct bus_status *status, const struct web_request *request)
{
	json_t *sessions = json_array();
	json_t *root = json_pack("{s:s, s:o*, s:o, s:o, s:o}", "user", request ? request->user : "",
				 "manager", api_manager_json(api, true), "capture", capture_json(status),
				 "target", target_json(status), "sessions", sessions);
	char *text;

	for (uint32_t i = 0; root && i < status->session_count && i < BUS_SESSIONS; i++)
		json_array_append_new(sessions, session_json(&status->sessions[i]));
	if (request) {
		json_object_set_new(root, "rights",
				    ticket_rights_json(api_session_rights(api, request->rights)));
		json_object_set_new(root, "owner", json_boolean(request->rights & RIGHT_OWNER));
	}
	text = root ? json_dumps(root, JSON_COMPACT) : NULL;
	json_decref(root);
	return text;
}
