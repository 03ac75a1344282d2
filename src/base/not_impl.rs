//! What a type must not have.

/// Compiles only if the type does not implement the trait: there are two ways to name `some` if it does.
macro_rules! assert_not_impl {
    ($type:ty, $trait:path) => {
        const _: fn() = || {
            trait Ambiguous<Which> {
                fn some() {}
            }
            struct IfImplemented;
            impl<T: ?Sized> Ambiguous<()> for T {}
            impl<T: ?Sized + $trait> Ambiguous<IfImplemented> for T {}
            let _ = <$type as Ambiguous<_>>::some;
        };
    };
}

pub(crate) use assert_not_impl;
