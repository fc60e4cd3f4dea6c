//! Rooms for answers, used again: a fresh one of several kilobytes for each answer is the dearest
//! thing that an allocator is asked for here.

use std::cell::RefCell;

use axum::body::Bytes;

/// Room for an answer: most fit, and one that does not grows from here.
const ROOM: usize = 4 * 1024;

/// What grew beyond this is given back to the system.
const LARGEST: usize = 64 * 1024;

/// Most rooms that a thread keeps.
const KEPT: usize = 64;

thread_local! {
    static ROOMS: RefCell<Vec<Vec<u8>>> = const { RefCell::new(Vec::new()) };
}

/// An empty room.
pub(super) fn room() -> Vec<u8> {
    ROOMS.with_borrow_mut(Vec::pop).unwrap_or_else(|| Vec::with_capacity(ROOM))
}

/// Bytes whose room comes back to whichever thread drops them last.
pub(super) fn bytes(written: Vec<u8>) -> Bytes {
    Bytes::from_owner(Pooled(written))
}

struct Pooled(Vec<u8>);

impl AsRef<[u8]> for Pooled {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Pooled {
    fn drop(&mut self) {
        let mut room = std::mem::take(&mut self.0);
        if room.capacity() > LARGEST {
            return;
        }
        room.clear();
        // A thread that ends has no rooms any more.
        let _gone = ROOMS.try_with(|rooms| {
            if let Ok(mut rooms) = rooms.try_borrow_mut()
                && rooms.len() < KEPT
            {
                rooms.push(room);
            }
        });
    }
}
