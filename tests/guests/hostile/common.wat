  ;; What every hostile guest has: an honest face. Text lies at 0x1000, what the host is told of it at 0x2000; host calls
  ;; leave their results at 0x3000, and the host's own lists go to 0x40000 and on.
  (import "sallyport:connector/http@0.1.0" "send"
    (func $send (param i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "sallyport:connector/http@0.1.0" "send-all" (func $send_all (param i32 i32 i32)))
  (import "sallyport:connector/log@0.1.0" "write" (func $log (param i32 i32 i32 i32 i32)))
  (import "sallyport:connector/blobs@0.1.0" "create" (func $create (param i32 i32 i32 i32 i32)))
  (import "sallyport:connector/blobs@0.1.0" "[method]blob.size" (func $size (param i32 i32)))
  (import "sallyport:connector/blobs@0.1.0" "[resource-drop]blob" (func $drop_blob (param i32)))
  (memory (export "memory") 8)
  (global $heap (mut i32) (i32.const 0x40000))
  (data (i32.const 0x1000) "acc_1Ann[]allEverythingtext/plain{\22ok\22:true}")
  ;; identify: ok { id: "acc_1", name: "Ann" }
  (data (i32.const 0x2000) "\00\00\00\00\00\10\00\00\05\00\00\00\05\10\00\00\03\00\00\00")
  ;; describe: "[]"
  (data (i32.const 0x2040) "\08\10\00\00\02\00\00\00")
  ;; invoke: ok { json: {"ok":true} }
  (data (i32.const 0x2080) "\00\00\00\00\00\00\00\00\21\10\00\00\0b\00\00\00")
  (func (export "sallyport:connector/account@0.1.0#identify") (result i32) (i32.const 0x2000))
  (func (export "sallyport:connector/tools@0.1.0#describe") (result i32) (i32.const 0x2040))
  (func (export "sallyport:connector/sync@0.1.0#streams") (result i32) unreachable)
  (func (export "sallyport:connector/sync@0.1.0#pull") (param i32 i32 i32 i32 i32 i32 i32 i32) (result i32) unreachable)
  (func (export "sallyport:connector/sync@0.1.0#probe") (param i32 i32) (result i32) unreachable)
  (func $room (param i32 i32 i32 i32) (result i32) (local $at i32)
    (local.set $at (i32.and (i32.add (global.get $heap) (i32.const 7)) (i32.const -8)))
    (global.set $heap (i32.add (local.get $at) (local.get 3)))
    (if (i32.gt_u (global.get $heap) (i32.mul (memory.size) (i32.const 65536))) (then unreachable))
    (local.get $at))
