// SPDX-License-Identifier: GPL-2.0-or-later
/* The client of adoption against a server in a Device's place: whom it believes, what it says, when it gives up. */
/* LINK: userland/manager/adopt.c userland/manager/ca.c userland/manager/text.c userland/lib/identity.c
 * userland/lib/certificate.c userland/lib/state.c userland/lib/log.c userland/lib/loop.c
 * | libcurl jansson -lssl -lcrypto */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "lib/identity.h"
#include "manager/adopt.h"

#define CODE "ABCD-EFGH"

static const struct identity_kind device = { .stem = "device", .whose = "this Device" };
static const char *const addresses[] = { "192.0.2.1", "manager.example:8443", NULL };

static char dir[64], id[CA_ID_SIZE], seen[65536];
static struct ca *ca;
static struct identity *identity;
static struct adopt_request request;
static struct adopt_answer answer;
static FILE *server;
static pid_t server_pid;

static int set_up(void **state)
{
	uint8_t hash[CERTIFICATE_ID_SIZE];

	strcpy(dir, "/tmp/kvmnet-adopt-XXXXXX");
	*state = mkdtemp(dir);
	ca = ca_open(dir);
	identity = identity_open(dir, &device);
	if (!ca || !identity || !certificate_id(identity_key(identity), hash))
		return -1;
	for (unsigned i = 0; i < sizeof(hash); i++)
		snprintf(id + 2 * i, 3, "%02x", hash[i]);
	request = (struct adopt_request){
		.ca = ca,
		.host = "127.0.0.1",
		.seconds = ADOPT_SECONDS,
		.id = id,
		.code = CODE,
		.device_name = "rack 1",
		.manager_name = "M",
		.addresses = addresses,
	};
	return 0;
}

static int tear_down(void **state)
{
	static const char *const files[] = { "ca.key", "ca.crt", "device.key", "device.crt", "adoption" };
	char path[96];

	(void)state;
	ca_close(ca);
	identity_close(identity);
	X509_free(answer.certificate);
	answer.certificate = NULL;
	for (unsigned i = 0; i < sizeof(files) / sizeof(*files); i++) {
		snprintf(path, sizeof(path), "%s/%s", dir, files[i]);
		unlink(path);
	}
	return rmdir(dir);
}

static void start_server(const char *mode)
{
	char line[32];
	int pipes[2];

	assert_int_equal(pipe(pipes), 0);
	server_pid = fork();
	if (!server_pid) {
		dup2(pipes[1], 1);
		close(pipes[0]);
		close(pipes[1]);
		execl("/usr/bin/python3", "python3", "tests/lib/standin.py", dir, mode, (char *)NULL);
		_exit(1);
	}
	close(pipes[1]);
	server = fdopen(pipes[0], "r");
	assert_non_null(fgets(line, sizeof(line), server));
	request.port = (unsigned)atoi(line);
}

/* What it heard, in seen. */
static void stop_server(void)
{
	size_t len;

	kill(server_pid, SIGTERM);
	len = fread(seen, 1, sizeof(seen) - 1, server);
	seen[len] = '\0';
	fclose(server);
	assert_int_equal(waitpid(server_pid, NULL, 0), server_pid);
}

static void try(const char *mode, enum adopt_result result, const char *text)
{
	start_server(mode);
	adopt(&request, &answer);
	stop_server();
	if (answer.result != result || !strstr(answer.text, text))
		print_error("%d \"%s\"; it heard:\n%s", answer.result, answer.text, seen);
	assert_int_equal(answer.result, result);
	assert_non_null(strstr(answer.text, text));
	assert_true((result == ADOPT_DONE) == (answer.certificate != NULL));
}

static unsigned count(const char *what)
{
	unsigned times = 0;

	for (const char *at = seen; (at = strstr(at, what)); at++)
		times++;
	return times;
}

static void check_handed_over(void)
{
	char path[96], found[CA_ID_SIZE];
	json_t *body;
	const char *manager, *name, *authority, *own, *first, *second;
	X509 *certificate;
	time_t ended;

	snprintf(path, sizeof(path), "%s/adoption", dir);
	body = json_load_file(path, 0, NULL);
	assert_int_equal(json_unpack(body, "{s:{s:s, s:s !}, s:s, s:s, s:[s, s !] !}", "manager", "id",
				     &manager, "name", &name, "ca", &authority, "certificate", &own,
				     "addresses", &first, &second),
			 0);
	assert_string_equal(manager, ca_id(ca));
	assert_string_equal(name, "M");
	assert_string_equal(first, addresses[0]);
	assert_string_equal(second, addresses[1]);
	certificate = certificate_parse(authority, strlen(authority));
	assert_int_equal(X509_cmp(certificate, ca_certificate(ca)), 0);
	X509_free(certificate);
	certificate = certificate_parse(own, strlen(own));
	assert_int_equal(X509_cmp(certificate, answer.certificate), 0);
	assert_int_equal(ca_judge_device(ca, certificate, found, &ended), CA_OK);
	assert_string_equal(found, id);
	X509_free(certificate);
	json_decref(body);
}

static void test_by_code(void **state)
{
	char owner[64], password[65];

	(void)state;
	try("unclaimed", ADOPT_DONE, "");
	assert_string_equal(answer.text, "");
	check_handed_over();
	assert_int_equal(count("connection\n"), 1);
	snprintf(owner, sizeof(owner), "\"user\":\"manager-%.8s\"", ca_id(ca));
	assert_int_equal(count(owner), 1);
	assert_int_equal(sscanf(strstr(seen, "\"password\":\""), "\"password\":\"%64[0-9a-f]\"", password),
			 1);
	assert_int_equal(strlen(password), 64);
	assert_non_null(strstr(seen, "POST /api/v1/logout \n"));
}

static void test_by_password(void **state)
{
	(void)state;
	request.code = NULL;
	request.user = "ann";
	request.password = "correct horse";
	request.after = time(NULL) - 60;
	try("claimed", ADOPT_DONE, "");
	assert_string_equal(answer.text, "");
	check_handed_over();
	assert_true(ca_starts(answer.certificate) > request.after);
	assert_int_equal(count("/claim"), 0);
	request.password = "another horse";
	X509_free(answer.certificate);
	try("claimed", ADOPT_REFUSED, "The name or the password is wrong.");
	assert_int_equal(answer.status, 401);
	assert_int_equal(count("/adoption"), 0);
}

/* Not even a request is sent, so no secret can be in it. */
static void test_another_key(void **state)
{
	(void)state;
	request.id = ca_id(ca);
	try("unclaimed", ADOPT_OTHER,
	    "has another key than the one that was found: it is not the same Device.");
	assert_int_equal(count("/api"), 0);
	assert_int_equal(count(CODE), 0);
}

static void test_old_tls(void **state)
{
	(void)state;
	try("old", ADOPT_UNREACHABLE, "cannot be spoken to");
	assert_int_equal(count("/api"), 0);
}

static void test_wrong_code(void **state)
{
	(void)state;
	request.code = "WRONG";
	try("unclaimed", ADOPT_REFUSED, "That is not the code on the console.?[2J?");
	assert_int_equal(answer.status, 403);
	assert_int_equal(count("/adoption"), 0);
}

static void test_wrong_authority(void **state)
{
	(void)state;
	try("claimed", ADOPT_INVALID, "has an owner");
	assert_int_equal(count(CODE), 0);
	request.code = NULL;
	try("unclaimed", ADOPT_INVALID, "Give the Device's claim code");
	request.user = "ann";
	request.password = "correct horse";
	try("unclaimed", ADOPT_INVALID, "has no owner yet");
	assert_int_equal(count("horse"), 0);
}

/* A Device that was claimed for nothing gets free again, or a person is told. */
static void test_claimed_for_nothing(void **state)
{
	(void)state;
	try("full", ADOPT_REFUSED, "The disk is full.");
	assert_string_equal(answer.text, "The disk is full.");
	assert_int_equal(answer.status, 500);
	assert_int_equal(count("DELETE /api/v1/adoption"), 1);
	try("stuck", ADOPT_REFUSED, "The disk is full. The Device now has the owner manager-");
}

static void test_odd_answers(void **state)
{
	(void)state;
	try("endless", ADOPT_ODD, "sends more than any Device does");
	try("page", ADOPT_ODD, "does not speak as a Device does (HTTP status 200)");
	try("redirect", ADOPT_ODD, "does not speak as a Device does (HTTP status 302)");
	assert_int_equal(count("elsewhere"), 0);
	assert_int_equal(count("/claim"), 0);
}

static void test_no_answer(void **state)
{
	(void)state;
	request.seconds = 1;
	try("silent", ADOPT_UNREACHABLE, "does not answer in time");
	/* The server is gone, and so is what listened on its port. */
	adopt(&request, &answer);
	assert_int_equal(answer.result, ADOPT_UNREACHABLE);
	assert_non_null(strstr(answer.text, "cannot be spoken to"));
}

static void test_addresses(void **state)
{
	static const char *const wrong[] = { "",	 "a/b",	   "a@b",      "a b",	"a:1\r\n",
					     "fe80::1%", "a%eth0", "::1%e/th", "[::1]", "a?" };

	(void)state;
	request.port = 443;
	for (unsigned i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		request.host = wrong[i];
		adopt(&request, &answer);
		assert_int_equal(answer.result, ADOPT_INVALID);
	}
	request.host = "127.0.0.1";
	request.port = 65536;
	adopt(&request, &answer);
	assert_int_equal(answer.result, ADOPT_INVALID);
}

static int prepare(void **state)
{
	(void)state;
	/* A proxy of the environment must not be asked. */
	setenv("https_proxy", "http://127.0.0.1:1", 1);
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	return adopt_prepare();
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(test_by_code),
		CASE(test_by_password),
		CASE(test_another_key),
		CASE(test_old_tls),
		CASE(test_wrong_code),
		CASE(test_wrong_authority),
		CASE(test_claimed_for_nothing),
		CASE(test_odd_answers),
		CASE(test_no_answer),
		CASE(test_addresses),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
