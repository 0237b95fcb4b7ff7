# SPDX-License-Identifier: BSD-2-Clause
# Rules for what runs on the Linux host: the command, tools, and unit tests under sanitizers.
set(LIBELLE_SANITIZE "" CACHE STRING "address,undefined or thread or empty")
set(CMAKE_THREAD_PREFER_PTHREAD ON)
find_package(Threads REQUIRED)
enable_testing()
if(LIBELLE_SANITIZE)
  add_compile_options(-fsanitize=${LIBELLE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all -g)
  add_link_options(-fsanitize=${LIBELLE_SANITIZE})
endif()

# libelle_program(NAME sources...): what users start. Linked whole, which saves it a millisecond at each start, but not with
# sanitizers, whose libraries are shared.
function(libelle_program name)
  add_executable(${name} ${ARGN})
  if(NOT LIBELLE_SANITIZE)
    target_link_options(${name} PRIVATE -static-pie)
  endif()
endfunction()

# libelle_test(NAME sources...): a GoogleTest program; every TEST in it is a ctest of its own.
include(GoogleTest)
find_package(GTest REQUIRED)
function(libelle_test name)
  add_executable(${name} ${ARGN})
  target_compile_definitions(${name} PRIVATE GTEST_HAS_CXXABI_H_=0) # <cxxabi.h> takes the name of namespace abi
  target_link_libraries(${name} PRIVATE GTest::gtest GTest::gmock GTest::gtest_main Threads::Threads)
  gtest_discover_tests(${name} TEST_PREFIX ${name}: DISCOVERY_TIMEOUT 60)
endfunction()
