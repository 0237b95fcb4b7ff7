// SPDX-License-Identifier: BSD-2-Clause
// clang's thread-safety attributes under short names; empty for other compilers.
#pragma once

#if defined(__clang__)
#define LWKT_ATTRIBUTE(x) __attribute__((x))
#else
#define LWKT_ATTRIBUTE(x)
#endif

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
