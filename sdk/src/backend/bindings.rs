//! What wit-bindgen makes of `wit/`: one imports-only world, and one private world for each
//! interface that a connector may export, sharing `types` with it.
//!
//! Apart, because a component then imports only what it uses and exports only what its author
//! named: each export macro carries its own world, and an unused one leaves no trace.

wit_bindgen::generate!({
    path: "../wit",
    inline: "
        package sallyport:sdk;
        world imports {
            import sallyport:connector/blobs@0.1.0;
            import sallyport:connector/http@0.1.0;
            import sallyport:connector/credentials@0.1.0;
            import sallyport:connector/documents@0.1.0;
            import sallyport:connector/clock@0.1.0;
            import sallyport:connector/random@0.1.0;
            import sallyport:connector/log@0.1.0;
        }
    ",
    world: "sallyport:sdk/imports",
    generate_all,
});

pub mod account {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package sallyport:sdk;
            world exports-account { export sallyport:connector/account@0.1.0; }
        ",
        world: "sallyport:sdk/exports-account",
        with: { "sallyport:connector/types@0.1.0": super::sallyport::connector::types },
        pub_export_macro: true,
        export_macro_name: "export_account",
        default_bindings_module: "sallyport_sdk::__private::account",
    });
}

pub mod tools {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package sallyport:sdk;
            world exports-tools { export sallyport:connector/tools@0.1.0; }
        ",
        world: "sallyport:sdk/exports-tools",
        with: { "sallyport:connector/types@0.1.0": super::sallyport::connector::types },
        pub_export_macro: true,
        export_macro_name: "export_tools",
        default_bindings_module: "sallyport_sdk::__private::tools",
    });
}

pub mod sync {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package sallyport:sdk;
            world exports-sync { export sallyport:connector/sync@0.1.0; }
        ",
        world: "sallyport:sdk/exports-sync",
        with: { "sallyport:connector/types@0.1.0": super::sallyport::connector::types },
        pub_export_macro: true,
        export_macro_name: "export_sync",
        default_bindings_module: "sallyport_sdk::__private::sync",
    });
}

pub mod webhooks {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package sallyport:sdk;
            world exports-webhooks { export sallyport:connector/webhooks@0.1.0; }
        ",
        world: "sallyport:sdk/exports-webhooks",
        with: { "sallyport:connector/types@0.1.0": super::sallyport::connector::types },
        pub_export_macro: true,
        export_macro_name: "export_webhooks",
        default_bindings_module: "sallyport_sdk::__private::webhooks",
    });
}

pub mod subscriptions {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package sallyport:sdk;
            world exports-subscriptions { export sallyport:connector/subscriptions@0.1.0; }
        ",
        world: "sallyport:sdk/exports-subscriptions",
        with: { "sallyport:connector/types@0.1.0": super::sallyport::connector::types },
        pub_export_macro: true,
        export_macro_name: "export_subscriptions",
        default_bindings_module: "sallyport_sdk::__private::subscriptions",
    });
}
