// SPDX-License-Identifier: GPL-2.0-or-later
/* kvmnet screenshot: a Target's screen, once, as a PNG file. */
#include "client/command.h"

#include <stdio.h>
#include <stdlib.h>

#include <png.h>

#include "client/viewer.h"

/* The first update may bring another size, and not all of the screen. */
static enum cli_status fetch(struct viewer *viewer, struct rfb *rfb)
{
	enum cli_status status;

	rfb_ask(rfb, false);
	status = viewer_await_update(viewer);
	while (status == CLI_DONE && !rfb_whole(rfb)) {
		rfb_ask(rfb, true);
		status = viewer_await_update(viewer);
	}
	return status;
}

static enum cli_status write_png(const struct rfb *rfb, const char *path)
{
	png_image image = { .version = PNG_IMAGE_VERSION,
			    .width = rfb->width,
			    .height = rfb->height,
			    .format = PNG_FORMAT_RGB };
	uint32_t count = rfb->width * rfb->height;
	uint8_t *bytes = malloc((size_t)count * 3);

	if (!bytes)
		return cli_fail(CLI_FAILED, "kvmnet: out of memory");
	for (uint32_t i = 0; i < count; i++) {
		bytes[3 * i] = (uint8_t)(rfb->pixels[i] >> 16);
		bytes[3 * i + 1] = (uint8_t)(rfb->pixels[i] >> 8);
		bytes[3 * i + 2] = (uint8_t)rfb->pixels[i];
	}
	/* It removes what it could not write in whole. */
	png_image_write_to_file(&image, path, 0, bytes, 0, NULL);
	free(bytes);
	if (PNG_IMAGE_FAILED(image))
		return cli_fail(CLI_FAILED, "kvmnet: %s: %s", path, image.message);
	return CLI_DONE;
}

enum cli_status command_screenshot(const struct cli *cli)
{
	const char *path = cli->arguments[2];
	enum cli_status status;
	struct viewer *viewer = viewer_open(cli, false, &status);
	struct rfb *rfb;

	if (!viewer)
		return status;
	rfb = viewer_rfb(viewer);
	status = fetch(viewer, rfb);
	if (status == CLI_DONE)
		status = write_png(rfb, path);
	if (status == CLI_DONE && cli->json)
		status = cli_print(json_pack("{s:s, s:i, s:i}", "file", path, "width", (int)rfb->width,
					     "height", (int)rfb->height));
	else if (status == CLI_DONE)
		printf("%s: %u x %u\n", path, rfb->width, rfb->height);
	viewer_close(viewer);
	return status;
}
