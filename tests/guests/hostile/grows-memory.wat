  ;; Asks for memory without end, and writes to all of it.
  (export "cabi_realloc" (func $room))
  (func (export "sallyport:connector/tools@0.1.0#invoke") (param i32 i32 i32 i32) (result i32) (local $page i32)
    (loop
      (local.set $page (memory.grow (i32.const 16)))
      (if (i32.eq (local.get $page) (i32.const -1)) (then unreachable))
      (memory.fill (i32.mul (local.get $page) (i32.const 65536)) (i32.const 255) (i32.const 1048576))
      (br 0))
    unreachable)
