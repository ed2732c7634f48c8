//! `export!`.

use proc_macro2::TokenStream;
use quote::quote;
use syn::parse::{Parse, ParseStream};
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::{Error, Ident, Path, Result, Token, Type, bracketed};

/// What may stand before a colon.
const KEYS: &str = "expected `account`, `tools`, `sync`, `webhooks` or `subscriptions`";

#[derive(Default)]
struct Exports {
    account: Option<Path>,
    tools: Option<Vec<Path>>,
    sync: Option<Type>,
    webhooks: Option<Type>,
    subscriptions: Option<Type>,
}

impl Parse for Exports {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut exports = Self::default();
        while !input.is_empty() {
            let key: Ident = input.parse()?;
            input.parse::<Token![:]>()?;
            match key.to_string().as_str() {
                "account" => once(&mut exports.account, &key, input.parse()?)?,
                "tools" => once(&mut exports.tools, &key, tools(input)?)?,
                "sync" => once(&mut exports.sync, &key, input.parse()?)?,
                "webhooks" => once(&mut exports.webhooks, &key, input.parse()?)?,
                "subscriptions" => once(&mut exports.subscriptions, &key, input.parse()?)?,
                _ => return Err(Error::new(key.span(), KEYS)),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(exports)
    }
}

fn once<T>(slot: &mut Option<T>, key: &Ident, value: T) -> Result<()> {
    match slot.replace(value) {
        None => Ok(()),
        Some(_) => Err(Error::new(key.span(), format!("`{key}` is given twice"))),
    }
}

/// Paths of tool functions, no two of one name.
fn tools(input: ParseStream<'_>) -> Result<Vec<Path>> {
    let list;
    bracketed!(list in input);
    let paths: Vec<Path> = Punctuated::<Path, Token![,]>::parse_terminated(&list)?.into_iter().collect();
    let mut names = Vec::new();
    for path in &paths {
        let name = path.segments.last().map(|segment| segment.ident.to_string());
        if names.contains(&name) {
            return Err(Error::new(path.span(), "another tool has this name"));
        }
        names.push(name);
    }
    Ok(paths)
}

pub(crate) fn expand(input: TokenStream) -> Result<TokenStream> {
    let whole = input.span();
    let exports: Exports = syn::parse2(input)?;
    let Some(account) = exports.account else {
        return Err(Error::new(whole, "a connector exports `account`: a `fn() -> Result<Identity, Failure>`"));
    };
    let sdk = quote!(::sallyport_sdk);
    let private = quote!(::sallyport_sdk::__private);
    let mut impls = quote! {
        impl #private::Account for Connector {
            fn identify() -> ::core::result::Result<#sdk::account::Identity, #sdk::Failure> {
                #account()
            }
        }
    };
    let mut gated = quote!(#private::account::export_account!(Connector with_types_in #private::account););
    if let Some(tools) = exports.tools {
        impls.extend(quote! {
            impl #private::Tools for Connector {
                fn entries() -> &'static [#private::Entry] {
                    const ENTRIES: &[#private::Entry] = &[#(#private::Entry::of::<#tools>()),*];
                    ENTRIES
                }
            }
        });
        gated.extend(quote!(#private::tools::export_tools!(Connector with_types_in #private::tools);));
    }
    if let Some(sync) = exports.sync {
        impls.extend(quote! {
            impl #private::Sync for Connector {
                fn streams() -> ::core::result::Result<::std::vec::Vec<#sdk::sync::Stream>, #sdk::Failure> {
                    <#sync as #sdk::sync::Sync>::streams()
                }
                fn pull(
                    job: &#sdk::sync::Job,
                    sink: &mut #sdk::documents::Sink,
                ) -> ::core::result::Result<#sdk::sync::Outcome, #sdk::Failure> {
                    <#sync as #sdk::sync::Sync>::pull(job, sink)
                }
                fn probe(
                    ids: &[::std::string::String],
                ) -> ::core::result::Result<::std::vec::Vec<#sdk::sync::Presence>, #sdk::Failure> {
                    <#sync as #sdk::sync::Sync>::probe(ids)
                }
            }
        });
        gated.extend(quote!(#private::sync::export_sync!(Connector with_types_in #private::sync);));
    }
    if let Some(webhooks) = exports.webhooks {
        impls.extend(quote! {
            impl #private::Webhooks for Connector {
                fn receive(
                    headers: &[(::std::string::String, ::std::string::String)],
                    body: &[u8],
                ) -> ::core::result::Result<::std::vec::Vec<#sdk::webhooks::Hint>, #sdk::Failure> {
                    <#webhooks as #sdk::webhooks::Webhooks>::receive(headers, body)
                }
            }
        });
        gated.extend(quote!(#private::webhooks::export_webhooks!(Connector with_types_in #private::webhooks);));
    }
    if let Some(subscriptions) = exports.subscriptions {
        let subscription = quote!(#sdk::subscriptions::Subscription);
        impls.extend(quote! {
            impl #private::Subscriptions for Connector {
                fn ensure(
                    callback: &str,
                    known: &[#subscription],
                ) -> ::core::result::Result<::std::vec::Vec<#subscription>, #sdk::Failure> {
                    <#subscriptions as #sdk::subscriptions::Subscriptions>::ensure(callback, known)
                }
                fn remove(known: &[#subscription]) -> ::core::result::Result<(), #sdk::Failure> {
                    <#subscriptions as #sdk::subscriptions::Subscriptions>::remove(known)
                }
            }
        });
        gated.extend(
            quote!(#private::subscriptions::export_subscriptions!(Connector with_types_in #private::subscriptions);),
        );
    }
    Ok(quote! {
        /// What this connector exports.
        #[derive(Debug, Clone, Copy)]
        pub struct Connector;

        #impls

        // Natively an export would fail to link in a cdylib, and nobody could call it.
        #[cfg(target_arch = "wasm32")]
        #[allow(unsafe_code)]
        const _: () = { #gated };
    })
}
