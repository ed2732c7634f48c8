  ;; Ten megabytes of escape sequences that clear a terminal.
  (export "cabi_realloc" (func $room))
  (func (export "sallyport:connector/tools@0.1.0#invoke") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.const 0x40000))
    (loop
      (i32.store (local.get $at) (i32.const 0x4a325b1b))
      (local.set $at (i32.add (local.get $at) (i32.const 4)))
      (br_if 0 (i32.lt_u (local.get $at) (i32.const 0x59000))))
    (local.set $at (i32.const 0))
    (loop
      (call $log (i32.const 2) (i32.const 0x40000) (i32.const 100000) (i32.const 0) (i32.const 0))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if 0 (i32.lt_u (local.get $at) (i32.const 100))))
    (i32.const 0x2080))
