// SPDX-License-Identifier: BSD-2-Clause
// What must not compile, a case a test (CMakeLists.txt), and beside each what must.
#include "lwkt/condition.hpp"
#include "lwkt/ipiq.hpp"
#include "lwkt/msgport.hpp"
#include "lwkt/token.hpp"

using namespace lwkt;

#define REFUSED(number) (CASE == number)

Token token("token");
SpinLock spin;
Serializer serializer("serializer");

void in_a_critical_section([[maybe_unused]] Message& message, [[maybe_unused]] Port& port) {
    CriticalSection critical;
    wakeup(&token);
    if constexpr (REFUSED(0))
        return;
#if REFUSED(1)
    (void)tsleep(&token, 0, "nap");
#elif REFUSED(2)
    yield();
#elif REFUSED(3)
    TokenGuard guard(token);
#elif REFUSED(4)
    (void)port.domsg(message);
#elif REFUSED(5)
    call_ipiq(CpuId{0}, nullptr, nullptr);
#elif REFUSED(6)
    SerializerGuard guard(serializer);
#endif
}

void with_a_spin_lock() {
    SpinGuard guard(spin);
#if REFUSED(7)
    (void)tsleep(&token, 0, "nap");
#endif
}

void without() {
    { CriticalSection critical; }
    TokenGuard guard(token);
    SerializerGuard entered(serializer);
    yield();
}

// A guard ends with its scope: it is no object of its own that could be passed on, and no temporary.
void guards() {
#if REFUSED(8)
    auto* guard = new TokenGuard(token);
#elif REFUSED(9)
    TokenGuard{token};
#elif REFUSED(10)
    CriticalSection one;
    CriticalSection two(one);
#elif REFUSED(11)
    token.acquire(); // and never released
#endif
}
