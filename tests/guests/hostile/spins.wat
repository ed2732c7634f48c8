  ;; Computes for ever when it is called.
  (export "cabi_realloc" (func $room))
  (func (export "sallyport:connector/tools@0.1.0#invoke") (param i32 i32 i32 i32) (result i32)
    (loop (br 0)) unreachable)
