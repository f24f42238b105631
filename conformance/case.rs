//! A case: one rule, one function, a fresh world.

use std::{future::Future, pin::Pin};

use crate::{
    client::{Client, Done, random_text},
    subject::{DOMAIN, Place},
};

/// What a case has at hand.
#[derive(Clone)]
pub struct World {
    pub place: Place,
}

/// A test case, named by its folder and function.
pub struct Case {
    pub name: &'static str,
    pub run: fn(World) -> Pin<Box<dyn Future<Output = Done> + Send>>,
}

/// Lists the cases of a folder: `cases![name, name];`.
#[macro_export]
macro_rules! cases {
    ($($name:ident),* $(,)?) => {
        /// The cases of this folder.
        pub const CASES: &[$crate::case::Case] = &[$($crate::case::Case {
            name: concat!(module_path!(), "::", stringify!($name)),
            run: |w| Box::pin($name(w)),
        },)*];
    };
}

/// A case that the subject need not pass, because it does not offer the extension.
pub fn absent<T>(what: &str) -> Done<T> {
    Err(format!("n/a: {what} is not offered"))
}

/// The password of every account.
pub const PASSWORD: &str = "pencil-42";

impl World {
    /// A connection without a word said.
    pub async fn raw(&self) -> Done<Client> {
        Client::connect(&self.place, DOMAIN).await
    }

    /// A stream in the clear, its features read.
    pub async fn stream(&self) -> Done<Client> {
        let mut client = self.raw().await?;
        client.open().await?;
        Ok(client)
    }

    /// A stream under STARTTLS, its second features read.
    pub async fn secure(&self) -> Done<Client> {
        let mut client = self.stream().await?;
        client.send("<starttls xmlns='urn:ietf:params:xml:ns:xmpp-tls'/>").await?;
        let answer = client.element().await?;
        if answer.name != "proceed" {
            return Err(format!("no TLS: {answer:?}"));
        }
        client.handshake(&self.place).await?;
        client.open().await?;
        Ok(client)
    }

    /// Makes an account by in-band registration (XEP-0077) and gives its name.
    pub async fn account(&self) -> Done<String> {
        let name = format!("u{}", random_text(10));
        self.register(&name).await?;
        Ok(name)
    }

    /// Makes an account of this name.
    pub async fn register(&self, name: &str) -> Done {
        let mut client = self.stream().await?;
        client
            .ask(
                "set",
                "",
                &format!(
                    "<query xmlns='jabber:iq:register'><username>{name}</username>\
                     <password>{PASSWORD}</password></query>"
                ),
            )
            .await
            .map_err(|e| format!("registration: {e}"))?;
        client.throw("</stream:stream>").await;
        Ok(())
    }

    /// An authenticated stream of an account, not bound.
    pub async fn login(&self, user: &str) -> Done<Client> {
        let mut client = self.stream().await?;
        client.login(user, PASSWORD).await?;
        Ok(client)
    }

    /// A bound session of an account.
    pub async fn session(&self, user: &str, resource: &str) -> Done<Client> {
        let mut client = self.login(user).await?;
        client.bind(resource).await?;
        Ok(client)
    }

    /// A session that has asked for its roster and is available.
    pub async fn online(&self, user: &str, resource: &str, priority: i8) -> Done<Client> {
        let mut client = self.session(user, resource).await?;
        client.ask("get", "", "<query xmlns='jabber:iq:roster'/>").await?;
        client.send(format!("<presence><priority>{priority}</priority></presence>")).await?;
        let jid = client.jid.clone();
        client.presence("", &jid).await?;
        Ok(client)
    }

    /// A new account, online.
    pub async fn user(&self) -> Done<Client> {
        let name = self.account().await?;
        self.online(&name, "one", 0).await
    }

    /// Two new accounts, online, subscribed to each other.
    pub async fn friends(&self) -> Done<(Client, Client)> {
        let (mut a, mut b) = (self.user().await?, self.user().await?);
        subscribe(&mut a, &mut b).await?;
        subscribe(&mut b, &mut a).await?;
        a.so_far().await?;
        b.so_far().await?;
        Ok((a, b))
    }
}

/// `a` asks to see `b`, and `b` agrees.
pub async fn subscribe(a: &mut Client, b: &mut Client) -> Done {
    a.send(format!("<presence to='{}' type='subscribe'/>", b.bare())).await?;
    let a_bare = a.bare();
    b.presence("subscribe", &a_bare).await?;
    b.send(format!("<presence to='{a_bare}' type='subscribed'/>")).await?;
    let b_jid = b.jid.clone();
    a.presence("", &b_jid).await?;
    Ok(())
}
