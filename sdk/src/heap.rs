//! The guest's allocator: dlmalloc, as everywhere on this target, over memory that the instance begins with.
//!
//! Most calls need little memory and are over at once. If it had to be grown first, the host would change its page
//! tables on every call, which takes longer than the rest of making an instance.

use core::alloc::{GlobalAlloc, Layout};
use core::arch::wasm32;
use core::cell::{Cell, UnsafeCell};
use core::ptr;

use dlmalloc::{Allocator, Dlmalloc};

/// Bytes of the first region. It is all zeros, so it takes no room in the file, and pages that nobody touches take none
/// in the host.
const FIRST: usize = 512 << 10;
/// Bytes of a page of WebAssembly.
const PAGE: usize = 64 << 10;

#[repr(align(65536))]
struct First(UnsafeCell<[u8; FIRST]>);

// SAFETY: a guest has one thread.
unsafe impl Sync for First {}

static FIRST_REGION: First = First(UnsafeCell::new([0; FIRST]));

/// Gives the first region once, and grown memory from then on.
struct Regions {
    given: Cell<bool>,
}

// SAFETY: every region is given once and is as large as said: the first one by `given`, any other because memory that
// was grown is nobody's yet. No region is taken back, moved or shrunk.
unsafe impl Allocator for Regions {
    fn alloc(&self, size: usize) -> (*mut u8, usize, u32) {
        if size <= FIRST && !self.given.replace(true) {
            return (FIRST_REGION.0.get().cast(), FIRST, 0);
        }
        let pages = size.div_ceil(PAGE);
        match wasm32::memory_grow(0, pages) {
            usize::MAX => (ptr::null_mut(), 0, 0),
            before => (ptr::with_exposed_provenance_mut(before * PAGE), pages * PAGE, 0),
        }
    }

    fn remap(&self, _: *mut u8, _: usize, _: usize, _: bool) -> *mut u8 {
        ptr::null_mut()
    }

    fn free_part(&self, _: *mut u8, _: usize, _: usize) -> bool {
        false
    }

    fn free(&self, _: *mut u8, _: usize) -> bool {
        false
    }

    fn can_release_part(&self, _: u32) -> bool {
        false
    }

    fn allocates_zeros(&self) -> bool {
        true
    }

    fn page_size(&self) -> usize {
        PAGE
    }
}

struct Heap(UnsafeCell<Dlmalloc<Regions>>);

// SAFETY: a guest has one thread.
unsafe impl Sync for Heap {}

#[global_allocator]
static HEAP: Heap = Heap(UnsafeCell::new(Dlmalloc::new_with_allocator(Regions { given: Cell::new(false) })));

// SAFETY: dlmalloc keeps `GlobalAlloc`'s contract, and these pass on what they are given. Nothing in an allocation
// allocates, and there is one thread, so that each has the only reference.
unsafe impl GlobalAlloc for Heap {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.0.get()).malloc(layout.size(), layout.align()) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        unsafe { (*self.0.get()).calloc(layout.size(), layout.align()) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        unsafe { (*self.0.get()).free(block, layout.size(), layout.align()) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        unsafe { (*self.0.get()).realloc(block, layout.size(), layout.align(), size) }
    }
}
