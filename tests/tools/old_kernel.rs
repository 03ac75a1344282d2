//! Linux before 5.11, as far as we notice: without the system call epoll_pwait2.

use std::io::Error;

/// Runs `test` on a thread for which the kernel does not know epoll_pwait2, nor for the processes that it starts.
pub fn without_brief_waits<T: Send + 'static>(test: impl FnOnce() -> T + Send + 'static) -> T {
    let thread = std::thread::spawn(|| {
        refuse(libc::SYS_epoll_pwait2);
        test()
    });
    match thread.join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

/// The present thread gets ENOSYS from this system call, for good (seccomp(2)).
fn refuse(call: libc::c_long) {
    const LOAD_NUMBER: u32 = libc::BPF_LD | libc::BPF_W | libc::BPF_ABS;
    const IF_EQUAL: u32 = libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K;
    const ANSWER: u32 = libc::BPF_RET | libc::BPF_K;
    let step = |code: u32, jt, jf, k| libc::sock_filter {
        code: u16::try_from(code).expect("codes have 16 bits"),
        jt,
        jf,
        k,
    };
    let mut steps = [
        // The number is the first field of what the filter looks at.
        step(LOAD_NUMBER, 0, 0, 0),
        step(
            IF_EQUAL,
            0,
            1,
            u32::try_from(call).expect("numbers are small"),
        ),
        step(
            ANSWER,
            0,
            0,
            libc::SECCOMP_RET_ERRNO | libc::ENOSYS.unsigned_abs(),
        ),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let filter = libc::sock_fprog {
        len: u16::try_from(steps.len()).expect("a few"),
        filter: steps.as_mut_ptr(),
    };
    // SAFETY: numbers only.
    let allowed = unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    assert_eq!(allowed, 0, "{}", Error::last_os_error());
    // SAFETY: the filter and its steps are readable during the call, which copies them.
    let set = unsafe {
        libc::prctl(
            libc::PR_SET_SECCOMP,
            libc::SECCOMP_MODE_FILTER,
            &raw const filter,
        )
    };
    assert_eq!(set, 0, "{}", Error::last_os_error());
    // SAFETY: no epoll instance has this number, and the kernel looks at that first.
    let refused = unsafe { libc::syscall(call, -1, 0usize, 0, 0usize, 0usize, 0usize) };
    let problem = Error::last_os_error().raw_os_error();
    assert_eq!((refused, problem), (-1, Some(libc::ENOSYS)));
}
