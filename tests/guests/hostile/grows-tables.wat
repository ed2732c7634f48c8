  ;; Asks for tables without end.
  (export "cabi_realloc" (func $room))
  (table $table 1 funcref)
  (func (export "sallyport:connector/tools@0.1.0#invoke") (param i32 i32 i32 i32) (result i32)
    (loop
      (if (i32.eq (table.grow $table (ref.null func) (i32.const 1000)) (i32.const -1)) (then unreachable))
      (br 0))
    unreachable)
