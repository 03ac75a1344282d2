//! From an `impl` block to the trait and the functions that C calls.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{format_ident, quote, quote_spanned};
use syn::ext::IdentExt;
use syn::spanned::Spanned;
use syn::{
    Attribute, Error, FnArg, ImplItem, ImplItemFn, ItemImpl, LitStr, Result, ReturnType, Type,
};

/// A method that Lua calls by its name.
struct Command {
    /// `#[cfg]`: where it is not there, its name is none.
    conditions: Vec<Attribute>,
    name: String,
    /// Where that is written.
    named: Span,
    function: syn::Ident,
    is_async: bool,
    fallible: bool,
    /// Where its result is written.
    output: Span,
    parameters: Vec<Parameter>,
}

enum Parameter {
    Context,
    Caller,
    Value(Box<Type>),
}

/// What the block has.
#[derive(Default)]
struct Methods {
    init: Option<bool>,
    message: Option<bool>,
    signal: bool,
    commands: Vec<Command>,
}

pub fn expand(attribute: TokenStream, item: TokenStream) -> Result<TokenStream> {
    let name: Option<LitStr> = if attribute.is_empty() {
        None
    } else {
        let text = "the name stands in quotes: #[service(\"name\")]";
        let span = attribute.span();
        Some(syn::parse2(attribute).map_err(|_| Error::new(span, text))?)
    };
    let mut block: ItemImpl = syn::parse2(item)?;
    if let Some((path, _)) = &block.trait_ {
        let text = "#[service] stands at `impl Type`, not at the implementation of a trait";
        return Err(Error::new(path.span(), text));
    }
    if !block.generics.params.is_empty() {
        let text = "a service is one type: C looks for it by name";
        return Err(Error::new(block.generics.span(), text));
    }
    let mut methods = Methods::default();
    for item in &mut block.items {
        if let ImplItem::Fn(function) = item {
            methods.add(function)?;
        }
    }
    let service = &block.self_ty;
    let Some(init_is_async) = methods.init else {
        let text = "a service has `async fn init(ctx: Ctx, args: Args) -> Result<Self, ...>`";
        return Err(Error::new(service.span(), text));
    };
    let names = names(&methods.commands)?;
    let init = init(service, init_is_async);
    let message = methods.message(service);
    let signal = methods.signal.then(|| {
        quote! {
            fn signal(self: &::std::rc::Rc<Self>, ctx: ::skynet_service::Ctx, signal: i32) {
                #service::signal(self, ctx, signal);
            }
        }
    });
    let functions = name.map(|name| functions(service, &name)).transpose()?;
    Ok(quote! {
        #block

        impl ::skynet_service::Service for #service {
            #init
            #message
            #signal
        }

        #names
        #functions
    })
}

/// Two commands of one name are an error: one would never be called. Where conditions (`#[cfg]`) may leave one of them, the compiler judges by what
/// comes out here: items whose names are taken twice.
fn names(commands: &[Command]) -> Result<TokenStream> {
    let mut items = TokenStream::new();
    for (at, command) in commands.iter().enumerate() {
        let earlier = &commands[..at];
        let Some(other) = earlier.iter().find(|other| other.name == command.name) else {
            continue;
        };
        let Command { name, named, .. } = command;
        if command.conditions.is_empty() && other.conditions.is_empty() {
            let text = format!("two commands have the name {name:?}: only one could be called");
            let mut error = Error::new(*named, text);
            error.combine(Error::new(other.named, "the other one is this"));
            return Err(error);
        }
        let item = |command: &Command| {
            let ident = Ident::new("two_commands_have_this_name", command.named);
            let conditions = &command.conditions;
            // All of it, as the error is about the item.
            quote_spanned!(command.named=> #(#conditions)* #[allow(non_camel_case_types, dead_code)] struct #ident;)
        };
        let (first, second) = (item(other), item(command));
        items.extend(quote!(const _: () = { #first #second };));
    }
    Ok(items)
}

/// The methods of the trait that begin the service.
fn init(service: &Type, is_async: bool) -> TokenStream {
    let wait = is_async.then(|| quote!(.await));
    let at_once = (!is_async).then(|| {
        quote! {
            fn init_at_once(
                ctx: ::skynet_service::Ctx,
                args: ::skynet_service::Args,
            ) -> ::std::result::Result<
                ::std::result::Result<Self, ::skynet_service::error::BoxError>,
                ::skynet_service::Args,
            > {
                ::std::result::Result::Ok(::skynet_service::export::boxed(#service::init(ctx, args)))
            }
        }
    });
    quote! {
        async fn init(
            ctx: ::skynet_service::Ctx,
            args: ::skynet_service::Args,
        ) -> ::std::result::Result<Self, ::skynet_service::error::BoxError> {
            ::skynet_service::export::boxed(#service::init(ctx, args)#wait)
        }

        #at_once
    }
}

impl Methods {
    fn add(&mut self, function: &mut ImplItemFn) -> Result<()> {
        let is_async = function.sig.asyncness.is_some();
        let marks: Vec<Attribute> = function
            .attrs
            .extract_if(.., |attribute| attribute.path().is_ident("command"))
            .collect();
        if let Some(another) = marks.get(1) {
            let text = "a command has one name: #[command] stands at it once";
            return Err(Error::new(another.span(), text));
        }
        if let Some(mark) = marks.first() {
            self.commands.push(Command::new(function, mark)?);
            return Ok(());
        }
        match function.sig.ident.to_string().as_str() {
            "init" => self.init = Some(is_async),
            "message" => {
                self.message = Some(is_async);
                inline(function);
            }
            "signal" => self.signal = true,
            _ => {}
        }
        Ok(())
    }

    /// The method of the trait that gets the messages.
    fn message(&self, service: &Type) -> TokenStream {
        let commands = (!self.commands.is_empty()).then(|| self.commands(service));
        let others = match self.message {
            None => quote!(::skynet_service::unhandled(ctx, &message)),
            Some(false) => quote!(#service::message(self, ctx, message)),
            Some(true) => quote! {
                let this = ::std::rc::Rc::clone(self);
                let message = message.keep();
                ::skynet_service::export::spawn_message(async move {
                    #service::message(&this, ctx, message).await
                });
            },
        };
        quote! {
            #[inline]
            fn message(
                self: &::std::rc::Rc<Self>,
                ctx: ::skynet_service::Ctx,
                message: ::skynet_service::Message<'_>,
            ) {
                #commands
                #others
            }
        }
    }

    fn commands(&self, service: &Type) -> TokenStream {
        let arms = self.commands.iter().map(|command| command.arm(service));
        let names = self.commands.iter().map(|command| {
            let (conditions, name) = (&command.conditions, &command.name);
            quote!(#(#conditions)* #name)
        });
        quote! {
            if message.kind() == ::skynet_service::Kind::Lua {
                return ::skynet_service::export::commands(&message, &[#(#names),*], |name, values, request| {
                    match name {
                        #(#arms)*
                        _ => return ::std::result::Result::Ok(::std::option::Option::Some(request)),
                    }
                    ::std::result::Result::Ok(::std::option::Option::None)
                });
            }
        }
    }
}

impl Command {
    fn new(function: &ImplItemFn, mark: &Attribute) -> Result<Command> {
        let mut name = function.sig.ident.unraw().to_string();
        let mut named = function.sig.ident.span();
        if !matches!(mark.meta, syn::Meta::Path(_)) {
            mark.parse_nested_meta(|meta| {
                if meta.path.is_ident("name") {
                    let text = meta.value()?.parse::<LitStr>()?;
                    (name, named) = (text.value(), text.span());
                    return Ok(());
                }
                Err(meta.error("#[command(name = \"...\")]"))
            })?;
        }
        let is_async = function.sig.asyncness.is_some();
        let mut inputs = function.sig.inputs.iter();
        match inputs.next() {
            Some(FnArg::Receiver(receiver)) => check_receiver(receiver)?,
            _ => {
                let text =
                    "a command is a method: its first parameter is `&self` or `self: &Rc<Self>`";
                return Err(Error::new(function.sig.span(), text));
            }
        }
        let parameters = inputs.map(|input| match input {
            FnArg::Typed(input) if is_async && matches!(*input.ty, Type::Reference(_)) => {
                let text = "an `async` command outlives its message: take what is owned (`String` for `&str`), or leave `async` out";
                Err(Error::new(input.ty.span(), text))
            }
            FnArg::Typed(input) => Ok(Parameter::new(&input.ty)),
            other => Err(Error::new(other.span(), "a second self")),
        });
        Ok(Command {
            name,
            named,
            conditions: function
                .attrs
                .iter()
                .filter(|attribute| attribute.path().is_ident("cfg"))
                .cloned()
                .collect(),
            function: function.sig.ident.clone(),
            is_async,
            output: function.sig.output.span(),
            fallible: match &function.sig.output {
                ReturnType::Type(_, ty) => is(ty, "Result"),
                ReturnType::Default => false,
            },
            parameters: parameters.collect::<Result<_>>()?,
        })
    }

    /// What is done for its name.
    fn arm(&self, service: &Type) -> TokenStream {
        let Command {
            name,
            function,
            conditions,
            ..
        } = self;
        let label = format!("command {name}");
        let mut arguments = Vec::new();
        let mut values = Vec::new();
        let mut types = Vec::new();
        for (at, parameter) in self.parameters.iter().enumerate() {
            let value = format_ident!("value{at}");
            arguments.push(match parameter {
                Parameter::Context => quote!(ctx),
                Parameter::Caller => quote!(caller),
                Parameter::Value(_) => quote!(#value),
            });
            if let Parameter::Value(ty) = parameter {
                values.push(value);
                types.push(ty);
            }
        }
        let read = if values.is_empty() {
            quote!()
        } else {
            // So that the error about a type points to it.
            let rest = Ident::new("rest", types[0].span());
            quote!(let (#(#values,)*): (#(#types,)*) = values.#rest()?;)
        };
        let caller = self
            .parameters
            .iter()
            .any(|parameter| matches!(parameter, Parameter::Caller))
            .then(|| quote!(let caller = request.caller();));
        let boxed = if self.fallible {
            quote!(::skynet_service::export::boxed)
        } else {
            quote!(::std::result::Result::Ok)
        };
        let answer = if self.is_async { "spawn" } else { "finish" };
        let answer = Ident::new(answer, self.output);
        if self.is_async {
            return quote! {
                #(#conditions)*
                #name => {
                    #read
                    #caller
                    let this = ::std::rc::Rc::clone(self);
                    request.#answer(#name, #label, async move {
                        #boxed(#service::#function(&this, #(#arguments),*).await)
                    });
                }
            };
        }
        quote! {
            #(#conditions)*
            #name => {
                #read
                #caller
                request.#answer(#name, #boxed(#service::#function(self, #(#arguments),*)));
            }
        }
    }
}

/// One place calls it, which may be in another unit of code than the method.
fn inline(function: &mut ImplItemFn) {
    if !function
        .attrs
        .iter()
        .any(|attribute| attribute.path().is_ident("inline"))
    {
        function.attrs.push(syn::parse_quote!(#[inline]));
    }
}

/// The tasks of a service share it.
fn check_receiver(receiver: &syn::Receiver) -> Result<()> {
    use syn::ReceiverKind::{Reference, Typed};
    if !matches!(receiver.kind, Typed(..) | Reference(_, _, None)) {
        let text = "a service is shared by its tasks: take `&self`, and keep what changes in a `Cell` or a `RefCell`";
        return Err(Error::new(receiver.span(), text));
    }
    Ok(())
}

impl Parameter {
    fn new(ty: &Type) -> Parameter {
        if is(ty, "Ctx") {
            Parameter::Context
        } else if is(ty, "Caller") {
            Parameter::Caller
        } else {
            Parameter::Value(Box::new(ty.clone()))
        }
    }
}

/// Whether a type goes by that name.
fn is(ty: &Type, name: &str) -> bool {
    match ty {
        Type::Path(path) => path
            .path
            .segments
            .last()
            .is_some_and(|segment| segment.ident == name),
        _ => false,
    }
}

/// The functions that C looks for.
fn functions(service: &Type, name: &LitStr) -> Result<TokenStream> {
    let text = name.value();
    // Of a name with dots the core takes the last part.
    let prefix = text.rsplit('.').next().unwrap_or_default();
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if prefix.is_empty() || !prefix.chars().all(is_word) {
        let text = "the name of a service is a file's name, and the beginning of C functions' names: letters, digits, _";
        return Err(Error::new(name.span(), text));
    }
    let [create, init, release, signal] =
        ["create", "init", "release", "signal"].map(|what| format!("{prefix}_{what}"));
    Ok(quote! {
        const _: () = {
            use ::std::ffi::{c_char, c_int, c_void};
            use ::skynet_service::{export, sys::Context};

            #[unsafe(export_name = #create)]
            extern "C" fn create() -> *mut c_void {
                export::create::<#service>(&#name)
            }

            /// # Safety
            /// As "skynet_module.h" says of `NAME_init`: `instance` comes from `create` and has not been started.
            #[unsafe(export_name = #init)]
            unsafe extern "C" fn init(instance: *mut c_void, context: *mut Context, args: *const c_char) -> c_int {
                // SAFETY: contract of this function.
                unsafe { export::init::<#service>(instance, context, args) }
            }

            /// # Safety
            /// As "skynet_module.h" says of `NAME_release`: `instance` comes from `create`, and is not used afterwards.
            #[unsafe(export_name = #release)]
            unsafe extern "C" fn release(instance: *mut c_void) {
                // SAFETY: contract of this function.
                unsafe { export::release::<#service>(instance) }
            }

            /// # Safety
            /// As "skynet_module.h" says of `NAME_signal`: `instance` comes from `create`, and is not released meanwhile.
            #[unsafe(export_name = #signal)]
            unsafe extern "C" fn signal(instance: *mut c_void, signal: c_int) {
                // SAFETY: contract of this function.
                unsafe { export::signal::<#service>(instance, signal) }
            }
        };
    })
}
