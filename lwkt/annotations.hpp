// SPDX-License-Identifier: BSD-2-Clause
// clang's thread-safety attributes under short names; empty for other compilers.
#pragma once

#if defined(__clang__)
#define LWKT_ATTRIBUTE(x) __attribute__((x))
#else
#define LWKT_ATTRIBUTE(x)
#endif

// What a thread does that may not block is a capability, too: guards of critical sections acquire
// `no_block`, those of spin locks `spinning`, and functions that block are LWKT_BLOCKS, so that blocking in
// the scope of such a guard does not compile with clang. It sees single functions only: every build asserts
// the rest at run time.
#define LWKT_BLOCKS LWKT_EXCLUDES(lwkt::no_block, lwkt::spinning)

#define LWKT_CAPABILITY(name) LWKT_ATTRIBUTE(capability(name))
#define LWKT_SCOPED LWKT_ATTRIBUTE(scoped_lockable)
#define LWKT_GUARDED_BY(x) LWKT_ATTRIBUTE(guarded_by(x))
#define LWKT_REQUIRES(...) LWKT_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define LWKT_REQUIRES_SHARED(...) LWKT_ATTRIBUTE(requires_shared_capability(__VA_ARGS__))
#define LWKT_ACQUIRE(...) LWKT_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define LWKT_ACQUIRE_SHARED(...) LWKT_ATTRIBUTE(acquire_shared_capability(__VA_ARGS__))
#define LWKT_RELEASE(...) LWKT_ATTRIBUTE(release_capability(__VA_ARGS__))
#define LWKT_RELEASE_GENERIC(...) LWKT_ATTRIBUTE(release_generic_capability(__VA_ARGS__))
#define LWKT_TRY_ACQUIRE(...) LWKT_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define LWKT_EXCLUDES(...) LWKT_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define LWKT_NO_ANALYSIS LWKT_ATTRIBUTE(no_thread_safety_analysis)

namespace lwkt {
struct LWKT_CAPABILITY("context") Context {};
inline constexpr Context no_block, spinning;
} // namespace lwkt
