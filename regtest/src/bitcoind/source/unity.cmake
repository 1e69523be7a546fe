# Deferred to the end of the top directory, when the targets exist. These two files clash with
# others of their batch (same names in anonymous namespaces), so they stay out of the batches.
cmake_language(DEFER DIRECTORY "${CMAKE_SOURCE_DIR}" CALL _windlass_unity)
function(_windlass_unity)
  set_source_files_properties("${CMAKE_SOURCE_DIR}/src/node/chainstate.cpp" "${CMAKE_SOURCE_DIR}/src/init/common.cpp"
    TARGET_DIRECTORY bitcoin_node PROPERTIES SKIP_UNITY_BUILD_INCLUSION ON)
endfunction()
