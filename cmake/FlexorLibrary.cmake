# SPDX-License-Identifier: Apache-2.0
# flx_library(SOURCES ... USES rooms ...): the one shared library, target `flexor`. Its symbols are flexor.map's, its C++ runtime is its own:
# libstdc++ is linked statically and hidden, libgcc_s is shared (an exception out of another C++ library must find the same unwinder).
# It stays mapped after dlclose (nodelete): its threads, fork handlers and the destructors of thread-local values would otherwise run in thin air.
function(flx_library)
  cmake_parse_arguments(L "" "" "SOURCES;USES;LIBS" ${ARGN})
  set(script ${PROJECT_SOURCE_DIR}/c_api/flexor.map)
  add_library(flexor SHARED ${L_SOURCES})
  add_library(Flexor::flexor ALIAS flexor)
  target_link_libraries(flexor PRIVATE flx_flags ${L_LIBS})
  foreach(r ${L_USES})
    target_link_libraries(flexor PRIVATE flx_${r})
  endforeach()
  target_include_directories(flexor INTERFACE $<BUILD_INTERFACE:${PROJECT_SOURCE_DIR}/include> $<INSTALL_INTERFACE:${CMAKE_INSTALL_INCLUDEDIR}>)
  target_link_options(flexor PRIVATE
    LINKER:--version-script=${script} LINKER:--gc-sections LINKER:--as-needed LINKER:-z,now LINKER:-z,relro LINKER:-z,nodelete
    LINKER:-Map,$<TARGET_FILE:flexor>.map)
  if(NOT (FLEXOR_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "Clang"))  # clang's sanitizers are linked into the program alone
    target_link_options(flexor PRIVATE LINKER:--no-undefined)
  endif()
  if(NOT FLEXOR_SANITIZE)
    # A sanitizer has to see the C++ runtime's throw and catch.
    target_link_options(flexor PRIVATE -static-libstdc++ LINKER:--exclude-libs,ALL)
  endif()
  set_target_properties(flexor PROPERTIES VERSION ${PROJECT_VERSION} SOVERSION ${PROJECT_VERSION_MAJOR} LINK_DEPENDS ${script}
    BUILD_WITH_INSTALL_RPATH ON INSTALL_RPATH "")
  if(CMAKE_BUILD_TYPE STREQUAL "Release" AND NOT FLEXOR_SANITIZE AND CMAKE_OBJCOPY)
    # abidiff reads the types of the exported functions, which stand in these objects alone, from debug information (tests: abi_types). It lies beside the
    # library, in libflexor.so.<version>.debug, so that the library itself stays as small as it is and is the one that is compared.
    target_compile_options(flexor PRIVATE -g "-fdebug-prefix-map=${PROJECT_SOURCE_DIR}=.")
    add_custom_command(TARGET flexor POST_BUILD
      COMMAND ${CMAKE_OBJCOPY} --only-keep-debug $<TARGET_FILE_NAME:flexor> $<TARGET_FILE_NAME:flexor>.debug
      COMMAND ${CMAKE_OBJCOPY} --strip-debug --add-gnu-debuglink=$<TARGET_FILE_NAME:flexor>.debug $<TARGET_FILE_NAME:flexor>
      WORKING_DIRECTORY $<TARGET_FILE_DIR:flexor> VERBATIM)
  endif()
endfunction()
