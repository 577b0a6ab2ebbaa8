// SPDX-License-Identifier: GPL-2.0-or-later
/* No program is started from here, whatever a line may do to us: the kernel ends who tries. */
#include "manager-shell/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>

/* Resolvers are loaded when a name is asked for, and differ: so this is a list of what nobody needs. */
static const int refused[] = {
	SCMP_SYS(execve),
	SCMP_SYS(execveat),
	SCMP_SYS(fork),
	SCMP_SYS(vfork),
	SCMP_SYS(clone),
	SCMP_SYS(ptrace),
	SCMP_SYS(kill),
	SCMP_SYS(tkill),
	SCMP_SYS(process_vm_readv),
	SCMP_SYS(process_vm_writev),
	SCMP_SYS(unshare),
	SCMP_SYS(setns),
	SCMP_SYS(mount),
	SCMP_SYS(bpf),
	SCMP_SYS(keyctl),
	SCMP_SYS(io_uring_setup),
	SCMP_SYS(perf_event_open),
	SCMP_SYS(userfaultfd),
	SCMP_SYS(listen),
	SCMP_SYS(accept),
	SCMP_SYS(accept4),
	SCMP_SYS(rename),
	SCMP_SYS(unlink),
	SCMP_SYS(mkdir),
	SCMP_SYS(symlink),
	SCMP_SYS(link),
	SCMP_SYS(chmod),
	SCMP_SYS(renameat2),
	SCMP_SYS(unlinkat),
	SCMP_SYS(mkdirat),
	SCMP_SYS(symlinkat),
	SCMP_SYS(linkat),
};

int sandbox_enter(void)
{
	const struct rlimit none = { 0, 0 };
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int error = filter ? seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), SCMP_SYS(clone3), 0) : -1;

	for (unsigned i = 0; !error && i < sizeof(refused) / sizeof(refused[0]); i++)
		error = seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, refused[i], 0);
	error = error || setrlimit(RLIMIT_CORE, &none) || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) ||
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || seccomp_load(filter);
	if (filter)
		seccomp_release(filter);
	return error ? -1 : 0;
}
