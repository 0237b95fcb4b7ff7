# SPDX-License-Identifier: BSD-2-Clause
# Rules for code that runs on the microkernel: freestanding C++20, no red zone (upcalls store no frame below the
# stack pointer), no exceptions, no RTTI. `libelle_native_program` makes a static ELF for one L4 task.
set(LIBELLE_NATIVE_FLAGS
  -ffreestanding -fno-exceptions -fno-rtti -fno-stack-protector -mno-red-zone -fno-pic -fno-pie -fcf-protection=none
  -fno-threadsafe-statics -fno-asynchronous-unwind-tables -fno-common -fno-use-cxa-atexit -ffunction-sections -fdata-sections)
if(CMAKE_BUILD_TYPE STREQUAL Release)
  string(REPLACE "-O3" "-O2" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
  string(REPLACE "-DNDEBUG" "" CMAKE_CXX_FLAGS_RELEASE "${CMAKE_CXX_FLAGS_RELEASE}")
endif()
# Code that must not touch FPU registers (kernel, personality, LWKT: they carry foreign FPU state).
if(CMAKE_CXX_COMPILER_ID MATCHES Clang) # without x87 clang refuses the library's headers, which mention long double
  set(LIBELLE_NO_FPU_FLAGS -mno-sse -mno-mmx)
else()
  set(LIBELLE_NO_FPU_FLAGS -mgeneral-regs-only)
endif()
set(LIBELLE_MUSL_LIBC /usr/lib/x86_64-linux-musl/libc.a)
add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fno-exceptions> $<$<COMPILE_LANGUAGE:CXX>:-fno-rtti>)

# libelle_native_library(NAME [FPU] sources...): a static library for L4 tasks; FPU allows vector registers.
function(libelle_native_library name)
  cmake_parse_arguments(ARG "FPU" "" "" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  target_compile_options(${name} PRIVATE ${LIBELLE_NATIVE_FLAGS})
  if(NOT ARG_FPU)
    target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${LIBELLE_NO_FPU_FLAGS}>)
  endif()
endfunction()

# libelle_native_program(NAME [FPU] sources...): an ELF for one L4 task, linked with the glue at 2 MiB and up.
function(libelle_native_program name)
  cmake_parse_arguments(ARG "FPU" "" "" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  target_compile_options(${name} PRIVATE ${LIBELLE_NATIVE_FLAGS})
  if(NOT ARG_FPU)
    target_compile_options(${name} PRIVATE $<$<COMPILE_LANGUAGE:CXX>:${LIBELLE_NO_FPU_FLAGS}>)
  endif()
  target_link_options(${name} PRIVATE -nostdlib -static -no-pie -Wl,--gc-sections -Wl,--build-id=none
    -Wl,-z,max-page-size=4096 -Wl,-z,noexecstack -Wl,-z,separate-code -Wl,-Ttext-segment=0x200000)
  target_link_libraries(${name} PRIVATE glue_native)
endfunction()
