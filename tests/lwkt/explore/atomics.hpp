// SPDX-License-Identifier: BSD-2-Clause
// Included before every file of LWKT that is explored: each atomic operation is a place where another core
// may come in between. Between two of them a core touches only what belongs to it (TSan checks that), so
// these places are all that matter, on a machine with sequential consistency.
#pragma once

extern "C" void explore_point();
extern "C" void explore_pause();

#define __atomic_load_n(...) (explore_point(), __atomic_load_n(__VA_ARGS__))
#define __atomic_store_n(...) (explore_point(), __atomic_store_n(__VA_ARGS__))
#define __atomic_exchange_n(...) (explore_point(), __atomic_exchange_n(__VA_ARGS__))
#define __atomic_compare_exchange_n(...) (explore_point(), __atomic_compare_exchange_n(__VA_ARGS__))
#define __atomic_fetch_or(...) (explore_point(), __atomic_fetch_or(__VA_ARGS__))
#define __atomic_fetch_and(...) (explore_point(), __atomic_fetch_and(__VA_ARGS__))
#define __atomic_fetch_add(...) (explore_point(), __atomic_fetch_add(__VA_ARGS__))
#define __atomic_fetch_sub(...) (explore_point(), __atomic_fetch_sub(__VA_ARGS__))
#define __atomic_add_fetch(...) (explore_point(), __atomic_add_fetch(__VA_ARGS__))
#define __builtin_ia32_pause() explore_pause()
