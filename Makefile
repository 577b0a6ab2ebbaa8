# SPDX-License-Identifier: GPL-2.0-or-later
# Every entry point of the project; `make help` lists them. New files are found by wildcards:
# a test, benchmark or tool names its further sources in its own "LINK:" comment (tests/lib/link.sh).

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.SECONDARY:
.DEFAULT_GOAL := all

CC     ?= gcc
ifeq ($(origin CC),default)
CC     := gcc
endif
CLANG  ?= clang-14
PREFIX ?= /usr
B      := build

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = $(if $(findstring s,$(firstword -$(MAKEFLAGS))),@:,@printf '  %-5s %s\n' $(1) '$(2)')
MAKEFLAGS += --no-print-directory
endif

# ---- libraries, by their pkg-config names; asked for once, and only when something is compiled ----
PKG_DAEMON := openssl libcbor libnl-3.0 libnl-genl-3.0 libnl-route-3.0 libwebsockets jansson inih libargon2 zlib libseccomp libsystemd libcap-ng
PKG_HELPER := libkmod libnl-3.0 libnl-genl-3.0 libseccomp libsystemd libcap-ng
PKG_CLIENT := openssl libcbor jansson libcurl libpng libbsd
PKG_MANAGER := openssl libcbor libwebsockets jansson inih libargon2 libsystemd sqlite3 libmariadb libcurl ldap
PKG_SHELL := openssl libseccomp
PKG_ALL    := $(sort $(PKG_DAEMON) $(PKG_HELPER) $(PKG_CLIENT) $(PKG_MANAGER))
pkg-check   = $(if $(shell pkg-config --print-errors --exists $(1) 2>&1 || echo missing),$(error \
	a library is missing ($(1)): tests/lib/deps.sh names and installs what is))
pkg-libs    = $(call pkg-check,$(1))$(shell pkg-config --libs $(1))
PKG_CFLAGS  = $(eval PKG_CFLAGS := $(call pkg-check,$(PKG_ALL))$(shell pkg-config --cflags $(PKG_ALL)))$(PKG_CFLAGS)

# ---- flags ----
WARN      := -Wall -Wextra -Werror -Wvla
CPPFLAGS  += -D_GNU_SOURCE -Iuserland -I.
DEPFLAGS   = -MMD -MP
HARDEN    := -fstack-protector-strong -D_FORTIFY_SOURCE=2 -fPIE
HARDEN_LD := -pie -Wl,-z,relro,-z,now -Wl,--as-needed
SANITIZE  := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
COMPILE    = $(CPPFLAGS) $(PKG_CFLAGS) $(WARN) $(DEPFLAGS) -std=c17 -g
# What the kernel compiles without vector registers is compiled so for user space too: the same code, the same figures.
$(B)/%/kmod/differ.o $(B)/%/kmod/ring.o: private EXTRA := $(if $(filter x86_64 aarch64,$(shell uname -m)),-mgeneral-regs-only)

# ---- what there is to build ----
HELPER_SRC := $(wildcard userland/device/helper*.c userland/device/gadget*.c)
DAEMON_SRC := $(filter-out $(HELPER_SRC),$(wildcard userland/device/*.c)) $(wildcard kmod/differ.c kmod/ring.c)
CLIENT_SRC := $(wildcard userland/client/*.c)
MANAGER_SRC := $(wildcard userland/manager/*.c)
SHELL_SRC := $(wildcard userland/manager-shell/*.c)
LIB_SRC    := $(wildcard userland/lib/*.c)
PROGRAMS   := $(if $(wildcard userland/device/main.c),$(B)/kvmnetd) \
	      $(if $(wildcard userland/device/helper.c),$(B)/kvmnet-helper) \
	      $(if $(wildcard userland/manager/main.c),$(B)/kvmnet-manager)
SHELLS     := $(if $(SHELL_SRC),$(B)/kvmnet-manager-shell)
CLIENT     := $(if $(CLIENT_SRC),$(B)/kvmnet)

UNIT  := $(patsubst tests/unit/%.c,$(B)/unit/%,$(wildcard tests/unit/test_*.c))
FUZZ  := $(patsubst tests/fuzz/%.c,$(B)/fuzz/%,$(wildcard tests/fuzz/fuzz_*.c))
BENCH := $(patsubst tests/bench/%.c,$(B)/bench/%,$(shell grep -lsw '^int main' tests/bench/*.c))
# Programs that tests drive: the C files of these folders that have a LINK comment.
linked = $(shell grep -ls 'LINK:' $(1)/*.c)
TOOLS := $(patsubst tests/e2e/%.c,$(B)/e2e/%,$(call linked,tests/e2e)) \
	 $(patsubst tests/native/%.c,$(B)/tests/%,$(call linked,tests/native)) \
	 $(patsubst tests/lib/%.c,$(B)/tests/%,$(call linked,tests/lib))
PERF  := $(patsubst tests/perf/%.c,$(B)/perf/%,$(call linked,tests/perf))

# ---- targets ----
sanitized: $(B)/asan/kvmnetd $(B)/asan/kvmnet $(B)/asan/kvmnet-manager

.PHONY: all kmod userland web sanitized bench-tools test-tools unit-tests fuzz-tests perf-tools demo demo-manager test bench soak lint install install-userland deb clean help print-kdir FORCE

all: kmod userland web ## (default) the driver, the daemons and the web console

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-13s %s\n", $$1, $$2}' Makefile
	@echo '  V=1 shows commands, KDIR=DIR chooses kernel headers, T=SUITE/NAME one test, DEPS=no installs nothing'

userland: $(PROGRAMS) $(SHELLS) $(CLIENT) ## kvmnetd, kvmnet-helper, kvmnet-manager, its shell and kvmnet
bench-tools: $(BENCH)
test-tools: $(TOOLS)
unit-tests: $(UNIT)
fuzz-tests: $(FUZZ)
perf-tools: $(PERF)

demo: ## the whole system on this machine: a Target that installs Debian, in your browser
	$(Q)tests/lib/deps.sh
	+$(Q)$(MAKE) all bench-tools
	$(Q)tests/bench/bench.py demo

demo-manager: ## a Manager, three simulated Devices and a real one; needs root
	$(Q)tests/lib/deps.sh
	+$(Q)$(MAKE) all bench-tools test-tools
	$(Q)tests/bench/bench.py demo-manager

test: ## every test; T=SUITE, T=SUITE/NAME or a pattern for some of them
	$(Q)tests/lib/deps.sh
	$(Q)tests/run $(foreach t,$(T),'$t')

soak: ## the tests with long rounds
	$(Q)tests/lib/deps.sh
	$(Q)SOAK=1 tests/run $(foreach t,$(T),'$t')

lint: ## style and static checks
	$(Q)tests/lib/deps.sh
	$(Q)tests/run lint

bench: ## figures of this machine as a table, and in build/bench.json
	$(Q)tests/lib/deps.sh
	+$(Q)$(MAKE) userland perf-tools test-tools
	$(Q)tests/perf/report.py

clean: ## removes build/
	$(Q)rm -rf $(B)

# ---- the driver: kbuild works in build/kmod, on links to the sources ----
KDIR ?= $(firstword $(wildcard /lib/modules/$(shell uname -r)/build) \
	$(shell ls -dv /usr/src/linux-headers-*-$(if $(filter aarch64,$(shell uname -m)),arm64,amd64) 2>/dev/null | tail -n 1))
# Type information needs the kernel's vmlinux; kbuild says at each build that it is not there.
NO_BTF    = $(if $(wildcard $(KDIR)/vmlinux),,CONFIG_DEBUG_INFO_BTF_MODULES=)
KMOD_SRC := $(wildcard kmod/*.[ch] kmod/uapi/*.h kmod/Kbuild)

kmod: $(if $(wildcard kmod/Kbuild),$(B)/kmod/kvmcap.ko) ## kvmcap.ko, against KDIR=

$(B)/kmod/kvmcap.ko: $(KMOD_SRC) $(B)/kmod/.kdir
	$(call say,KMOD,$@)
	$(Q)test -n '$(KDIR)' || { echo 'no kernel headers here: install linux-headers-amd64, or set KDIR=' >&2; exit 1; }
	$(Q)find $(B)/kmod -type l -delete
	$(Q)mkdir -p $(B)/kmod/uapi
	$(Q)ln -sf $(addprefix $(CURDIR)/,$(filter kmod/uapi/%,$(KMOD_SRC))) $(B)/kmod/uapi/
	$(Q)ln -sf $(addprefix $(CURDIR)/,$(filter-out kmod/uapi/%,$(KMOD_SRC))) $(B)/kmod/
	+$(Q)$(MAKE) -C '$(KDIR)' M='$(CURDIR)/$(B)/kmod' $(if $(Q),-s) $(NO_BTF) modules
	$(Q)touch $@

print-kdir:
	@echo '$(KDIR)'

$(B)/kmod/.kdir: FORCE
	@mkdir -p $(@D)
	@echo '$(KDIR)' | cmp -s - $@ || echo '$(KDIR)' >$@

# ---- objects: plain, under sanitizers, and for the fuzzer ----
$(B)/obj/%.o: %.c
	$(call say,CC,$<)
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(COMPILE) -O2 $(HARDEN) $(CFLAGS) $(EXTRA) -c -o $@ $<

$(B)/asan/%.o: %.c
	$(call say,CC,$< (sanitized))
	$(Q)mkdir -p $(@D)
	$(Q)$(CC) $(COMPILE) -O1 $(SANITIZE) $(CFLAGS) -c -o $@ $<

$(B)/fuzzobj/%.o: %.c
	$(call say,CC,$< (for the fuzzer))
	$(Q)mkdir -p $(@D)
	$(Q)$(CLANG) $(COMPILE) -O1 $(SANITIZE) -fsanitize=fuzzer-no-link -c -o $@ $<

# ---- programs ----
object = $(patsubst %.c,$(B)/obj/%.o,$(1))
link   = $(Q)mkdir -p $(@D) && $(CC) $(HARDEN_LD) $(LDFLAGS) -o $@ $(filter %.o %.a,$^)

$(B)/libkvmnet.a: $(call object,$(LIB_SRC))
$(B)/asan/libkvmnet.a: $(patsubst %.c,$(B)/asan/%.o,$(LIB_SRC))
# Of these archives each program takes what it calls: none gets a library that it does not need.
$(B)/libkvmnet.a $(B)/asan/libkvmnet.a:
	$(call say,AR,$@)
	$(Q)rm -f $@ && $(AR) rcs $@ $^

$(B)/kvmnetd: $(call object,$(DAEMON_SRC)) $(B)/libkvmnet.a
	$(call say,LD,$@)
	$(link) -pthread $(call pkg-libs,$(PKG_DAEMON)) -lwslay

$(B)/kvmnet: $(call object,$(CLIENT_SRC)) $(B)/libkvmnet.a
	$(call say,LD,$@)
	$(link) $(call pkg-libs,$(PKG_CLIENT))

$(B)/kvmnet-manager-shell: $(call object,$(SHELL_SRC)) $(B)/libkvmnet.a
	$(call say,LD,$@)
	$(link) $(call pkg-libs,$(PKG_SHELL))

$(B)/kvmnet-manager: $(call object,$(MANAGER_SRC)) $(B)/libkvmnet.a
	$(call say,LD,$@)
	$(link) -pthread $(call pkg-libs,$(PKG_MANAGER))

# For the tests on this machine: the same programs, and no memory error passes.
$(B)/asan/kvmnetd: $(patsubst %.c,$(B)/asan/%.o,$(DAEMON_SRC)) $(B)/asan/libkvmnet.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZE) -o $@ $^ -Wl,--as-needed -pthread $(call pkg-libs,$(PKG_DAEMON)) -lwslay

$(B)/asan/kvmnet: $(patsubst %.c,$(B)/asan/%.o,$(CLIENT_SRC)) $(B)/asan/libkvmnet.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZE) -o $@ $^ -Wl,--as-needed -pthread $(call pkg-libs,$(PKG_CLIENT))

$(B)/asan/kvmnet-manager: $(patsubst %.c,$(B)/asan/%.o,$(MANAGER_SRC)) $(B)/asan/libkvmnet.a
	$(call say,LD,$@)
	$(Q)$(CC) $(SANITIZE) -o $@ $^ -Wl,--as-needed -pthread $(call pkg-libs,$(PKG_MANAGER))

$(B)/kvmnet-helper: $(call object,$(HELPER_SRC)) $(B)/libkvmnet.a
	$(call say,LD,$@)
	$(link) -pthread $(call pkg-libs,$(PKG_HELPER))

# Each of these has a fragment in build/mk/ that lists its objects and its libraries.
$(BENCH) $(TOOLS) $(PERF):
	$(call say,LD,$@)
	$(link) -pthread $(LIBS)

$(UNIT):
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CC) $(SANITIZE) -o $@ $(filter %.o,$^) -Wl,--as-needed -pthread -lcmocka $(LIBS)

$(FUZZ):
	$(call say,LD,$@)
	$(Q)mkdir -p $(@D) && $(CLANG) $(SANITIZE) -fsanitize=fuzzer -o $@ $(filter %.o,$^) -Wl,--as-needed -pthread $(LIBS)

# Those that run in the bench's appliance carry their libc along; one uses libnl, which the daemon needs there anyway.
$(filter-out %/engine %/cable %/asknetlink,$(BENCH)): private HARDEN_LD := -static-pie -Wl,-z,relro,-z,now

ifneq ($(filter-out clean help install,$(or $(MAKECMDGOALS),all)),)
LINKED := $(UNIT) $(FUZZ) $(BENCH) $(TOOLS) $(PERF)
-include $(patsubst $(B)/%,$(B)/mk/%.mk,$(LINKED))
-include $(shell find $(B)/obj $(B)/asan $(B)/fuzzobj -name '*.d' 2>/dev/null)
endif

fragment = $(Q)mkdir -p $(@D) && tests/lib/link.sh $(patsubst $(B)/mk/%.mk,$(B)/%,$@) $(1) $< >$@
$(B)/mk/unit/%.mk:  tests/unit/%.c tests/lib/link.sh
	$(call fragment,asan)
$(B)/mk/fuzz/%.mk:  tests/fuzz/%.c tests/lib/link.sh
	$(call fragment,fuzzobj)
$(B)/mk/bench/%.mk: tests/bench/%.c tests/lib/link.sh
	$(call fragment,obj)
$(B)/mk/e2e/%.mk:   tests/e2e/%.c tests/lib/link.sh
	$(call fragment,obj)
$(B)/mk/perf/%.mk:  tests/perf/%.c tests/lib/link.sh
	$(call fragment,obj)
$(B)/mk/tests/%.mk: tests/native/%.c tests/lib/link.sh
	$(call fragment,obj)
$(B)/mk/tests/%.mk: tests/lib/%.c tests/lib/link.sh
	$(call fragment,obj)

# ---- the pages, and noVNC as package-lock.json pins it ----
WEB_SRC := $(shell find userland/web -type f -not -path '*/node_modules/*' 2>/dev/null)

web: $(if $(wildcard userland/web/package-lock.json),$(B)/web/.done $(B)/web-manager/.done) ## the pages, with noVNC

$(B)/npm/.done: $(wildcard userland/web/package.json userland/web/package-lock.json)
	$(call say,NPM,userland/web/package-lock.json)
	$(Q)mkdir -p $(@D) && cp $^ $(@D)/
	$(Q)cd $(@D) && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error >npm.log || { cat npm.log >&2; exit 1; }
	$(Q)touch $@

# The Device's pages and the Manager's: each its own folder and what both share.
pages = $(Q)rm -rf $(@D) && mkdir -p $(@D) && cp $(wildcard userland/web/*.js userland/web/*.css userland/web/*.svg userland/web/$(1)/*) $(@D)/

$(B)/web/.done: $(B)/npm/.done $(WEB_SRC)
	$(call say,WEB,$(@D))
	$(call pages,device)
	$(Q)mkdir $(@D)/novnc
	$(Q)cp -R $(B)/npm/node_modules/@novnc/novnc/core $(B)/npm/node_modules/@novnc/novnc/vendor $(@D)/novnc/
	$(Q)cp $(B)/npm/node_modules/@novnc/novnc/LICENSE.txt $(@D)/novnc/
	$(Q)touch $@

$(B)/web-manager/.done: $(WEB_SRC)
	$(call say,WEB,$(@D))
	$(call pages,manager)
	$(Q)touch $@

# ---- installation ----
# Debian's headers name the upstream version in kernel.release; the module itself knows better.
KRELEASE = $(firstword $(shell modinfo -F vermagic $(B)/kmod/kvmcap.ko 2>/dev/null))
D        = $(DESTDIR)$(PREFIX)
put      = $(if $(strip $(2)),install -d '$(3)' && install -m $(1) $(2) '$(3)',:)

put-pages = test ! -d '$(1)' || { cd '$(1)' && find . -type f ! -name .done -exec install -Dm0644 '{}' '$(2)/{}' ';'; }

install: all install-userland ## into DESTDIR=, under PREFIX= (default /usr)
	$(Q)$(call put,0644,$(if $(wildcard kmod/Kbuild),$(B)/kmod/kvmcap.ko),$(DESTDIR)/lib/modules/$(KRELEASE)/extra)
	$(Q)test -n '$(DESTDIR)' || depmod '$(KRELEASE)'

install-userland: userland web
	$(Q)$(call put,0755,$(PROGRAMS),$(D)/sbin)
	$(Q)$(call put,0755,$(SHELLS),$(D)/lib/kvmnet)
	$(Q)$(call put,0755,$(CLIENT),$(D)/bin)
	$(Q)$(call put-pages,$(B)/web,$(D)/share/kvmnet/web)
	$(Q)$(call put-pages,$(B)/web-manager,$(D)/share/kvmnet-manager/web)
	$(Q)$(call put,0644,userland/device/openapi.yaml,$(D)/share/kvmnet)
	$(Q)$(call put,0644,$(wildcard userland/manager/openapi.yaml),$(D)/share/kvmnet-manager)
	$(Q)$(call put,0644,$(wildcard packaging/*.service),$(D)/lib/systemd/system)
	$(Q)$(call put,0644,$(wildcard packaging/*.rules),$(D)/lib/udev/rules.d)
	$(Q)$(call put,0644,$(wildcard packaging/sysusers.d/*.conf),$(D)/lib/sysusers.d)
	$(Q)$(call put,0644,$(wildcard packaging/tmpfiles.d/*.conf),$(D)/lib/tmpfiles.d)
	$(Q)$(call put,0644,$(wildcard packaging/sysctl.d/*.conf),$(D)/lib/sysctl.d)
	$(Q)$(call put,0644,$(wildcard packaging/sshd/*.conf),$(DESTDIR)/etc/ssh/sshd_config.d)
	$(Q)$(call put,0644,$(wildcard packaging/modules-load.d/*.conf),$(D)/lib/modules-load.d)
	$(Q)$(call put,0644,$(wildcard packaging/*.conf),$(DESTDIR)/etc/kvmnet)
	$(Q)test -e '$(DESTDIR)/etc/kvmnet/manager-administrators.keys' || $(call put,0644,packaging/manager-administrators.keys,$(DESTDIR)/etc/kvmnet)
	$(Q)$(call put,0644,$(wildcard packaging/bash-completion/*),$(D)/share/bash-completion/completions)
	$(Q)$(call put,0644,$(wildcard userland/client/*.1),$(D)/share/man/man1)
	$(Q)$(call put,0644,$(wildcard userland/device/*.8 userland/manager/*.8 userland/manager-shell/*.8),$(D)/share/man/man8)
	$(Q)$(call put,0644,$(wildcard userland/device/*.5 userland/manager/*.5),$(D)/share/man/man5)
	$(Q)test '$(PREFIX)' = /usr || sed -i 's|/usr/sbin/kvmnet|$(PREFIX)/sbin/kvmnet|; s|/usr/lib/kvmnet/|$(PREFIX)/lib/kvmnet/|; s|^#web_dir = /usr/|web_dir = $(PREFIX)/|' \
		$(patsubst packaging/%,$(D)/lib/systemd/system/%,$(wildcard packaging/*.service)) $(DESTDIR)/etc/kvmnet/kvmnetd.conf $(DESTDIR)/etc/kvmnet/kvmnet-manager.conf \
		$(D)/lib/sysusers.d/kvmnet-manager.conf $(DESTDIR)/etc/ssh/sshd_config.d/kvmnet-manager.conf

# On a copy of the sources, with the pages as they are here: what debhelper leaves behind is there.
deb: ## Debian packages, in build/deb: kvmnet-device, kvmnet-manager and kvmnet
	$(Q)tests/lib/deps.sh
	+$(Q)$(MAKE) web
	$(Q)rm -rf $(B)/deb && mkdir -p $(B)/deb/kvmnet/build
	$(Q)cp -Rp Makefile LICENSES debian kmod packaging userland $(B)/deb/kvmnet/
	$(Q)cp -Rp $(B)/npm $(B)/web $(B)/web-manager $(B)/deb/kvmnet/build/
	+$(Q)cd $(B)/deb/kvmnet && DEB_RULES_REQUIRES_ROOT=no debian/rules binary
