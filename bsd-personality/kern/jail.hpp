// SPDX-License-Identifier: BSD-2-Clause
// What this jail was told and what it tells: the box's parameters, copied once, and the status it reads.
#pragma once

#include "bsd-personality/kern/errno.hpp"
#include "proto/jail.hpp"

namespace bsd {

struct Jail {
    proto::JailParameters parameters{};  // immutable after start
    proto::JailStatus* status = nullptr; // shared with the box; guarded by giant
    void (*ring_box)() = nullptr;        // tells the box that something changed
};
extern Jail jail;

/// Appends a line to the status message, as much of it as fits.
void note(const char* a, const char* b = "", const char* c = "", const char* d = "");
/// Ends the jail with a reason; the box reads it.
void jail_failed(const char* a, const char* b = "", const char* c = "");
/// Starts the first process from the parameters. Under giant, after the file tree stands.
SysResult<void> start_first_process();
/// The text of an error for messages.
const char* describe(Errno error);

} // namespace bsd
