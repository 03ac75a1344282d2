//! Statistics: `struct socket_info` of "socket_info.h", a linked list of blocks of the C allocator.

use super::addr::{Protocol, Text};
use super::shared::Shared;
use super::slot::Slot;
use super::state::Phase;
use super::sys;
use libc::c_char;
pub use skynet_sys::SocketInfo;
use skynet_sys::info_type;
use std::ptr::null_mut;
use std::sync::atomic::Ordering;

const _: () =
    assert!(size_of::<SocketInfo>() == 200 && std::mem::offset_of!(SocketInfo, name) == 58);

/// Up to v1.3.0 the members `reading` and `writing` were not there.
#[repr(C)]
struct Earlier {
    front: [u64; 7],
    name: [c_char; 128],
    next: *mut SocketInfo,
}

const _: () = assert!(
    std::mem::offset_of!(Earlier, name) == std::mem::offset_of!(SocketInfo, reading)
        && std::mem::offset_of!(Earlier, next) >= std::mem::offset_of!(SocketInfo, name)
        && size_of::<Earlier>() + size_of::<usize>() == size_of::<SocketInfo>()
);

/// Moves the names of a whole list to where they were up to v1.3.0; [`release`] takes the result.
///
/// # Safety
/// As [`release`], and it happens once.
pub unsafe fn make_earlier(first: *mut SocketInfo) -> *mut SocketInfo {
    let mut info = first;
    while !info.is_null() {
        // SAFETY: an entry of the list, by contract; the earlier structure is shorter.
        unsafe {
            let (name, next) = ((*info).name, (*info).next);
            (*info.cast::<Earlier>()).name = name;
            link(info, next);
            info = next;
        }
    }
    first
}

/// An empty entry in front of `next`, from the C allocator.
#[allow(clippy::not_unsafe_ptr_arg_deref)] // `next` is kept, not followed
pub fn create(next: *mut SocketInfo) -> *mut SocketInfo {
    // SAFETY: calloc takes any size.
    let info = unsafe { libc::calloc(1, size_of::<SocketInfo>()) }.cast::<SocketInfo>();
    if info.is_null() {
        std::alloc::handle_alloc_error(std::alloc::Layout::new::<SocketInfo>());
    }
    // SAFETY: all-zero is a valid entry, and no other thread has the block.
    unsafe { link(info, next) };
    info
}

/// Sets the link, also where it was up to v1.3.0: a service of that age walks the whole list then. The place is behind
/// what the longest name can reach.
///
/// # Safety
/// An entry of a list, which is not read at the same time.
unsafe fn link(info: *mut SocketInfo, next: *mut SocketInfo) {
    // SAFETY: by contract; the earlier structure lies inside of today's.
    unsafe {
        (*info.cast::<Earlier>()).next = next;
        (*info).next = next;
    }
}

/// Releases a list.
///
/// # Safety
/// `first` is null or the start of a list made by [`create`], given up by the caller.
pub unsafe fn release(mut first: *mut SocketInfo) {
    while !first.is_null() {
        // SAFETY: an entry of the list, by contract.
        let next = unsafe { (*first).next };
        // SAFETY: the block came from calloc and is not used any more.
        unsafe { libc::free(first.cast()) };
        first = next;
    }
}

/// The list for all sockets of a server: each entry goes in front, so the highest slot comes first.
pub fn list(shared: &Shared) -> *mut SocketInfo {
    let mut first = null_mut();
    for slot in shared.table.iter() {
        let tag = slot.tag();
        let Some((kind, name)) = describe(shared, slot, tag.state().phase) else {
            continue;
        };
        // The socket may have gone while it was looked at; then the name may be another's.
        if !slot.tag().is(tag.id()) {
            continue;
        }
        first = create(first);
        // SAFETY: a fresh entry that only this thread has.
        let info = unsafe { &mut *first };
        info.id = tag.id();
        info.r#type = kind;
        info.opaque = slot.owner.load(Ordering::Relaxed) as u64;
        info.read = slot.read.load(Ordering::Relaxed);
        info.write = slot.written.load(Ordering::Relaxed);
        info.rtime = slot.read_time.load(Ordering::Relaxed);
        info.wtime = slot.write_time.load(Ordering::Relaxed);
        info.wbuffer = slot.backlog.load(Ordering::Relaxed) as i64;
        info.reading = slot.reading.load(Ordering::Relaxed).into();
        info.writing = slot.writing.load(Ordering::Relaxed).into();
        // One byte for the end, and what the link of the earlier structure takes.
        let room = std::mem::offset_of!(Earlier, next) - std::mem::offset_of!(SocketInfo, name) - 1;
        for (to, from) in info.name[..room].iter_mut().zip(name.as_bytes()) {
            *to = *from as c_char;
        }
    }
    first
}

/// Kind and name; `None` for what is not shown (free, not started, connecting).
fn describe(shared: &Shared, slot: &Slot, phase: Phase) -> Option<(i32, Text)> {
    let fd = slot.fd.load(Ordering::Relaxed);
    let named = |a: Result<super::addr::SockAddr, sys::Errno>| a.map_or(Text::new(), |a| a.name());
    match phase {
        Phase::Bound => Some((info_type::BIND, Text::new())),
        Phase::Listen => Some((info_type::LISTEN, named(sys::local_name(fd)))),
        Phase::Open | Phase::ReadClosed | Phase::WriteClosed
            if slot.protocol() == Protocol::Tcp =>
        {
            let kind = if phase == Phase::Open {
                info_type::TCP
            } else {
                info_type::CLOSING
            };
            Some((kind, named(sys::peer_name(fd))))
        }
        Phase::Open | Phase::ReadClosed | Phase::WriteClosed => {
            // The peer is only readable inside the handoff lock; a busy socket shows no name this time.
            if !slot.handoff.try_enter() {
                return Some((info_type::UDP, Text::new()));
            }
            // SAFETY: this thread owns the handoff lock; the reference ends here.
            let peer = unsafe { slot.peer() }.as_deref().copied();
            shared.leave(slot);
            Some((
                info_type::UDP,
                peer.and_then(|p| p.to_sock())
                    .map_or(Text::new(), |a| a.name()),
            ))
        }
        _ => None,
    }
}
