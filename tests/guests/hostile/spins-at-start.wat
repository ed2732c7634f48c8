  ;; Never gets as far as being called.
  (export "cabi_realloc" (func $room))
  (func $forever (loop (br 0)))
  (start $forever)
  (func (export "sallyport:connector/tools@0.1.0#invoke") (param i32 i32 i32 i32) (result i32) (i32.const 0x2080))
