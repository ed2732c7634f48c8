  ;; Ten thousand log fields that are all the same 200 KB: two gigabytes, if somebody copied them.
  (export "cabi_realloc" (func $room))
  (func (export "sallyport:connector/tools@0.1.0#invoke") (param i32 i32 i32 i32) (result i32) (local $at i32)
    (memory.fill (i32.const 0x48000) (i32.const 120) (i32.const 200000))
    (local.set $at (i32.const 0x4000))
    (loop
      (i32.store (local.get $at) (i32.const 0x48000))
      (i32.store offset=4 (local.get $at) (i32.const 200000))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if 0 (i32.lt_u (local.get $at) (i32.const 0x2b100))))
    (call $log (i32.const 1) (i32.const 0x1000) (i32.const 5) (i32.const 0x4000) (i32.const 10000))
    (i32.const 0x2080))
