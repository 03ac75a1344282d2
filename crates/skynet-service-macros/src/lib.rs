//! The attribute `service` of the crate `skynet-service`, which documents it.

mod service;

use proc_macro::TokenStream;

/// Makes a type a service: see the crate `skynet-service`.
#[proc_macro_attribute]
pub fn service(attribute: TokenStream, item: TokenStream) -> TokenStream {
    service::expand(attribute.into(), item.into())
        .unwrap_or_else(syn::Error::into_compile_error)
        .into()
}
