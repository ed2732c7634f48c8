  ;; Makes blobs and drops none.
  (export "cabi_realloc" (func $room))
  (func (export "sallyport:connector/tools@0.1.0#invoke") (param i32 i32 i32 i32) (result i32)
    (loop
      (call $create (i32.const 0x1017) (i32.const 10) (i32.const 0x1000) (i32.const 5) (i32.const 0x3000))
      (if (i32.load8_u (i32.const 0x3000)) (then unreachable))
      (br 0))
    unreachable)
