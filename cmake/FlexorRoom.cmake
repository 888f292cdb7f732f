# SPDX-License-Identifier: Apache-2.0
# flx_room(name SOURCES ... [USES rooms below ...] [LIBS libraries ...]): one static library for src/<name>; a room it does not name does not link.
function(flx_room name)
  cmake_parse_arguments(ROOM "" "" "SOURCES;USES;LIBS" ${ARGN})
  add_library(flx_${name} STATIC ${ROOM_SOURCES})
  target_link_libraries(flx_${name} PRIVATE flx_flags ${ROOM_LIBS})
  foreach(r ${ROOM_USES})
    target_link_libraries(flx_${name} PUBLIC flx_${r})
  endforeach()
endfunction()

# flx_test(room SOURCES ... [LIBS ...]): one GoogleTest program per room, tests/<room>, run by ctest as <room>.
function(flx_test name)
  cmake_parse_arguments(T "" "TIMEOUT" "SOURCES;USES;LIBS;LABELS" ${ARGN})
  if(NOT T_TIMEOUT)
    set(T_TIMEOUT 600)
  endif()
  add_executable(${name}_test ${T_SOURCES})
  target_link_libraries(${name}_test PRIVATE flx_flags ${T_LIBS} GTest::gtest_main)
  foreach(r ${T_USES})
    target_link_libraries(${name}_test PRIVATE flx_${r})
  endforeach()
  target_compile_definitions(${name}_test PRIVATE FLEXOR_TEST_DATA="${CMAKE_SOURCE_DIR}/tests")
  add_test(NAME ${name} COMMAND ${name}_test)
  set_tests_properties(${name} PROPERTIES TIMEOUT ${T_TIMEOUT} LABELS "${T_LABELS}")
endfunction()

# flx_skipped_test(name reason): a test that cannot run here stands in the list all the same, and says why (tools/count_tests.py prints it).
function(flx_skipped_test name reason)
  add_test(NAME ${name} COMMAND ${CMAKE_COMMAND} -E echo "SKIPPED ${reason}\n0 passed, 0 failed, 1 skipped")
endfunction()
