# SPDX-License-Identifier: Apache-2.0
# cmake --install: the libraries, their headers, find_package(Flexor), flexor.pc and flexor-ps.pc; the programs flexor-ps and flexor-launch (ps-lite/program). The static rooms stay behind.
include(CMakePackageConfigHelpers)
if("$CACHE{CMAKE_INSTALL_DOCDIR}" STREQUAL "")
  set(CMAKE_INSTALL_DOCDIR ${CMAKE_INSTALL_DATAROOTDIR}/doc/flexor)  # the Debian package's name, not the project's
endif()
if(TARGET flexor)
  install(TARGETS flexor EXPORT FlexorTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
  if(TARGET flexor_cuda)
    install(TARGETS flexor_cuda LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})  # beside the library, where it is looked for
  endif()
  install(DIRECTORY include/flexor DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
  # What is made from the registry at build time, such as the operators' typed functions.
  install(DIRECTORY ${PROJECT_BINARY_DIR}/include/flexor DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} OPTIONAL FILES_MATCHING PATTERN "*.h" PATTERN "*.hpp")
  if(TARGET flexor_ps)
    install(TARGETS flexor_ps EXPORT FlexorTargets LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
    install(DIRECTORY ps-lite/include/ps DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
  endif()
  install(EXPORT FlexorTargets NAMESPACE Flexor:: DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Flexor)
  configure_package_config_file(cmake/FlexorConfig.cmake.in FlexorConfig.cmake INSTALL_DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Flexor)
  write_basic_package_version_file(FlexorConfigVersion.cmake COMPATIBILITY SameMinorVersion)
  # Relative to flexor.pc itself, so that the installed tree can be moved.
  file(RELATIVE_PATH up /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
  string(REGEX REPLACE "/$" "" up "${up}")
  set(FLEXOR_PC_PREFIX "\${pcfiledir}/${up}")
  configure_file(cmake/flexor.pc.in flexor.pc @ONLY)
  if(TARGET flexor_ps)
    configure_file(cmake/flexor-ps.pc.in flexor-ps.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/flexor-ps.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  endif()
  install(FILES ${PROJECT_BINARY_DIR}/FlexorConfig.cmake ${PROJECT_BINARY_DIR}/FlexorConfigVersion.cmake DESTINATION ${CMAKE_INSTALL_LIBDIR}/cmake/Flexor)
  install(FILES ${PROJECT_BINARY_DIR}/flexor.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
  install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})
endif()
