  ;; Gives the same blob back twice.
  (export "cabi_realloc" (func $room))
  (func (export "sallyport:connector/tools@0.1.0#invoke") (param i32 i32 i32 i32) (result i32)
    (call $create (i32.const 0x1017) (i32.const 10) (i32.const 0x1000) (i32.const 5) (i32.const 0x3000))
    (call $drop_blob (i32.load offset=4 (i32.const 0x3000)))
    (call $drop_blob (i32.load offset=4 (i32.const 0x3000)))
    (i32.const 0x2080))
