  ;; Writes all over its memory, for whoever comes after it.
  (export "cabi_realloc" (func $room))
  (func (export "sallyport:connector/tools@0.1.0#invoke") (param i32 i32 i32 i32) (result i32)
    (memory.fill (i32.const 0x50000) (i32.const 90) (i32.const 0x30000))
    (drop (memory.grow (i32.const 8)))
    (memory.fill (i32.const 0x80000) (i32.const 90) (i32.const 0x80000))
    (i32.const 0x2080))
