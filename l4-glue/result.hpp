// SPDX-License-Identifier: BSD-2-Clause
// Result<T, E>: a value or an error, which must be looked at. TRY takes the value or returns the error to the
// caller, whose error type may be wider by a converting constructor. Failure(e) makes the error side.
#pragma once

#include <new>
#include <type_traits>
#include <utility>

template <class E>
struct Failure {
    E error;
    explicit constexpr Failure(E e) : error(e) {}
};

template <class T, class E>
class [[nodiscard]] Result {
public:
    template <class U = T>
    requires std::is_convertible_v<U&&, T>
    constexpr Result(U&& value) : value_(std::forward<U>(value)), ok_(true) {}
    template <class F>
    requires std::is_convertible_v<F, E>
    constexpr Result(Failure<F> failure) : error_(failure.error), ok_(false) {}
    constexpr Result(Result&& other) : ok_(other.ok_) {
        if (ok_)
            new (static_cast<void*>(&value_)) T(std::move(other.value_));
        else
            error_ = other.error_;
    }
    constexpr ~Result() {
        if (ok_)
            value_.~T();
    }
    Result& operator=(Result&&) = delete;

    constexpr explicit operator bool() const { return ok_; }
    constexpr bool ok() const { return ok_; }
    constexpr E error() const { return error_; } // only when !ok()
    constexpr T& value() { return value_; }      // only when ok()
    constexpr T&& take() { return std::move(value_); }

private:
    union {
        T value_;
        E error_;
    };
    bool ok_;
};

template <class E>
class [[nodiscard]] Result<void, E> {
public:
    constexpr Result() : error_{}, ok_(true) {}
    template <class F>
    requires std::is_convertible_v<F, E>
    constexpr Result(Failure<F> failure) : error_(failure.error), ok_(false) {}
    constexpr explicit operator bool() const { return ok_; }
    constexpr bool ok() const { return ok_; }
    constexpr E error() const { return error_; }
    constexpr void take() {}

private:
    E error_;
    bool ok_;
};

#define TRY(expression)                                                                                      \
    ({                                                                                                       \
        auto&& try_result_ = (expression);                                                                   \
        if (!try_result_.ok()) [[unlikely]]                                                                  \
            return Failure(try_result_.error());                                                             \
        try_result_.take();                                                                                  \
    })
