# find_package(skynet): the targets skynet::shared and skynet::static for the executable, and skynet::headers for services and
# modules, which find the core in the executable.
#
# Expects the layout of compat/install.sh: PREFIX/{include/skynet, lib, lib/cmake/skynet}. The library has no Lua;
# the project links its own. Services find the core in the executable, so set ENABLE_EXPORTS on it.

get_filename_component(skynet_prefix "${CMAKE_CURRENT_LIST_DIR}/../../.." ABSOLUTE)
find_package(Threads REQUIRED)

if(NOT TARGET skynet::headers)
  add_library(skynet::headers INTERFACE IMPORTED)
  set_target_properties(skynet::headers PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${skynet_prefix}/include/skynet")
endif()

if(EXISTS "${skynet_prefix}/lib/libskynet.so" AND NOT TARGET skynet::shared)
  add_library(skynet::shared SHARED IMPORTED)
  set_target_properties(skynet::shared PROPERTIES
    IMPORTED_LOCATION "${skynet_prefix}/lib/libskynet.so"
    IMPORTED_SONAME libskynet.so
    INTERFACE_INCLUDE_DIRECTORIES "${skynet_prefix}/include/skynet"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;m;${CMAKE_DL_LIBS}")
endif()

if(EXISTS "${skynet_prefix}/lib/libskynet.a" AND NOT TARGET skynet::static)
  # Whole: what only a service uses has to be in the executable too.
  add_library(skynet::static INTERFACE IMPORTED)
  set_target_properties(skynet::static PROPERTIES
    INTERFACE_INCLUDE_DIRECTORIES "${skynet_prefix}/include/skynet"
    INTERFACE_LINK_LIBRARIES
      "-Wl,--whole-archive,${skynet_prefix}/lib/libskynet.a,--no-whole-archive;Threads::Threads;m;${CMAKE_DL_LIBS}")
endif()

set(skynet_FOUND TRUE)
