//! Buffers that are used again. A page or a read is about a megabyte, and memory that is given back to the system and
//! touched anew costs as much as what is done with it.

use std::sync::Mutex;

use bytes::Bytes;

/// Smaller buffers are the allocator's business.
const LEAST: usize = 32 << 10;

/// The bytes that idle buffers may hold.
const MOST_IDLE: usize = 32 << 20;

static IDLE: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// A buffer to write into, then to share.
#[derive(Debug)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
    len: usize,
}

impl Buffer {
    /// A buffer of `n` bytes, of any content.
    pub(crate) fn of(n: usize) -> Self {
        let mut bytes = Vec::new();
        // Never waiting: who holds the lock may be a thread that a fork left behind.
        if n >= LEAST
            && let Ok(mut idle) = IDLE.try_lock()
            && let Some(i) = idle.iter().rposition(|buffer| (n..=4 * n).contains(&buffer.len()))
        {
            bytes = idle.swap_remove(i);
        }
        if bytes.is_empty() {
            bytes = vec![0; n];
        }
        Self { bytes, len: n }
    }

    /// An empty vector with room for `n` bytes, to become a buffer by `from`.
    pub(crate) fn room(n: usize) -> Vec<u8> {
        if n >= LEAST
            && let Ok(mut idle) = IDLE.try_lock()
            && let Some(i) = idle.iter().rposition(|buffer| (n..=4 * n).contains(&buffer.capacity()))
        {
            let mut bytes = idle.swap_remove(i);
            bytes.clear();
            return bytes;
        }
        Vec::with_capacity(n)
    }

    /// The bytes, to write.
    pub(crate) fn as_mut(&mut self) -> &mut [u8] {
        &mut self.bytes[..self.len]
    }

    /// The bytes, to read, for as long as anything has a part of them.
    pub(crate) fn share(self) -> Bytes {
        Bytes::from_owner(self)
    }
}

impl From<Vec<u8>> for Buffer {
    fn from(bytes: Vec<u8>) -> Self {
        Self { len: bytes.len(), bytes }
    }
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        if self.bytes.len() >= LEAST
            && let Ok(mut idle) = IDLE.try_lock()
            && idle.iter().map(Vec::capacity).sum::<usize>() + self.bytes.capacity() <= MOST_IDLE
        {
            idle.push(std::mem::take(&mut self.bytes));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shared_buffer_is_not_used_again_while_it_is_read() {
        let mut first = Buffer::of(1 << 20);
        first.as_mut().fill(7);
        let part = first.share().slice(10..20);
        let mut second = Buffer::of(1 << 20);
        second.as_mut().fill(9);
        assert_eq!(&part[..], [7; 10]);
        assert_eq!(second.as_ref().len(), 1 << 20);
    }
}
