//! `POST /v1/work-orders/{code}/{action}`: what is done to an order. Each action has a body of its
//! own; all of them share who, when and with what proof.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{FromRequest, FromRequestParts as _, RawQuery, Request, State};
use axum::http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::edge::Caller;
use super::openapi::{ActFaults, BodyFaults, say};
use super::order_out::{Shower, WorkOrderOut};
use super::params::{self, Params};
use super::problem::{Failure, Outcome};
use super::reports::{damage, read, text};
use super::wire::{Out, PositionIn, Source};
use super::write::{self, InPath};
use super::{App, body, to_bytes, words};
use crate::domain::order::{Assignee, Measure};
use crate::domain::said::say;
use crate::service::command::{ActCommand, Asked, Command, OrderView, Precondition, Render, Rendered, What};
use crate::service::error::{Result, ServiceError};
use crate::service::moment::Moment;

/// What every action may bring.
struct Common {
    note: Option<String>,
    photos: Option<Vec<String>>,
    at: Option<String>,
    on_behalf_of: Option<String>,
}

/// The body of an action.
pub trait Acting: DeserializeOwned {
    /// The word in the path.
    const WORD: &'static str;
    /// What is asked, and why.
    fn asked(&mut self) -> Result<(Asked, Option<String>)>;
    #[expect(private_interfaces, reason = "only the shared part of this file reads it")]
    fn common(self) -> Common;
}

/// Bodies of actions: their own members, and what all may bring.
macro_rules! bodies {
    ($(
        $(#[$doc:meta])* $name:ident $word:literal { $($(#[$attr:meta])* $field:ident: $type:ty),* $(,)? } $asked:expr;
    )*) => {$(
        #[derive(Debug, Deserialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        $(#[$doc])*
        pub struct $name {
            $($(#[$attr])* pub $field: $type,)*
            /// A remark for the history.
            #[schema(max_length = 2000)]
            pub note: Option<String>,
            /// Ids of photos uploaded before.
            pub photos: Option<Vec<String>>,
            /// When it happened, for crews that were offline.
            #[schema(format = DateTime)]
            pub at: Option<String>,
            /// For a dispatcher: the unit, grid or sub-district in whose name this is done.
            pub on_behalf_of: Option<String>,
        }

        impl Acting for $name {
            const WORD: &'static str = $word;

            fn asked(&mut self) -> Result<(Asked, Option<String>)> {
                let asked: fn(&mut Self) -> Result<(Asked, Option<String>)> = $asked;
                asked(self)
            }

            #[expect(private_interfaces, reason = "only the shared part of this file reads it")]
            fn common(self) -> Common {
                Common { note: self.note, photos: self.photos, at: self.at, on_behalf_of: self.on_behalf_of }
            }
        }
    )*};
}

bodies! {
    /// 接单
    #[schema(example = json!({}))]
    AcceptIn "accept" {} |_| Ok((Asked::Accept, None));

    /// 到场
    #[schema(example = json!({"position": {"lon": 120.33641, "lat": 36.11537, "accuracy_m": 5}}))]
    ArriveIn "arrive" {
        #[serde(deserialize_with = "body::object")]
        position: PositionIn,
    } |arrive| {
        let position = arrive.position.pin(Source::Body("/position"), None, 1)?.position();
        Ok((Asked::Arrive { position: Some(position) }, None))
    };

    /// 控险
    #[schema(example = json!({"measure": "fence"}))]
    SecureIn "secure" {
        #[schema(schema_with = words::measure)]
        measure: String,
    } |secure| {
        let measure = params::word(&secure.measure, Measure::ALL, Measure::as_str);
        let measure = measure.map_err(|detail| ServiceError::invalid("/measure", detail))?;
        Ok((Asked::Secure { measure }, None))
    };

    /// 修复
    #[schema(example = json!({"done": "replaced the cover", "material": "ductile iron D400"}))]
    RepairIn "repair" {
        /// What was done.
        #[schema(max_length = 2000)]
        done: String,
        #[schema(max_length = 2000)]
        material: Option<String>,
    } |repair| {
        let done = needed(text(Some(std::mem::take(&mut repair.done)), "/done")?, "/done")?;
        Ok((Asked::Repair { done, material: text(repair.material.take(), "/material")? }, None))
    };

    /// 核查
    #[schema(example = json!({"passed": true}))]
    VerifyIn "verify" {
        passed: bool,
        /// Needed when it did not pass.
        #[schema(max_length = 2000)]
        reason: Option<String>,
    } |verify| {
        let reason = verify.reason.take();
        let reason = if verify.passed { reason } else { Some(needed_reason(reason)?) };
        Ok((Asked::Verify { passed: verify.passed }, reason))
    };

    /// 结案
    #[schema(example = json!({}))]
    CloseIn "close" {} |_| Ok((Asked::Close, None));

    /// 认定: the cover, or its category, or the damage.
    #[schema(example = json!({"cover": "3702030103000123", "reason": "名称标识清晰"}))]
    IdentifyIn "identify" {
        cover: Option<String>,
        category: Option<String>,
        damage: Option<String>,
        #[schema(max_length = 2000)]
        reason: String,
    } |identify| {
        let reason = needed_reason(Some(std::mem::take(&mut identify.reason)))?;
        let cover = read(identify.cover.as_deref(), "/cover")?;
        let category = read(identify.category.as_deref(), "/category")?;
        let damage = identify.damage.as_deref().map(|word| damage(word, "/damage")).transpose()?;
        if cover.is_none() && category.is_none() && damage.is_none() {
            let detail = say!("cover, category or damage is needed", "需要 cover、category 或 damage");
            return Err(ServiceError::invalid("/cover", detail));
        }
        Ok((Asked::Identify { cover, category, damage }, Some(reason)))
    };

    /// 改派
    #[schema(example = json!({"unit": "370203-WAT01", "reason": "产权单位有误"}))]
    ReassignIn "reassign" {
        /// Code of a unit, a grid or a sub-district.
        unit: String,
        #[schema(max_length = 2000)]
        reason: String,
        /// An extension (延期).
        #[schema(format = DateTime)]
        due_at: Option<String>,
    } |reassign| {
        let reason = needed_reason(Some(std::mem::take(&mut reassign.reason)))?;
        let unit = assignee(&reassign.unit, "/unit")?;
        let due_at = read(reassign.due_at.as_deref(), "/due_at")?;
        Ok((Asked::Reassign { unit, due_at }, Some(reason)))
    };
}

fn needed<const MAX: usize>(
    text: Option<crate::domain::text::Text<MAX>>,
    pointer: &str,
) -> Result<crate::domain::text::Text<MAX>> {
    text.filter(|text| !text.as_str().trim().is_empty())
        .ok_or_else(|| ServiceError::invalid(pointer, say!("may not be empty", "不能为空")))
}

fn needed_reason(reason: Option<String>) -> Result<String> {
    reason
        .filter(|reason| !reason.trim().is_empty())
        .ok_or_else(|| ServiceError::invalid("/reason", say!("a reason is needed", "请写明原因")))
}

fn assignee(code: &str, pointer: &str) -> Result<Assignee> {
    let detail = || {
        say!(
            "the code of a unit (370203-WAT01), a grid (15 digits) or a sub-district (9 digits)",
            "应为单位编码（370203-WAT01）、责任网格编码（15 位）或街道编码（9 位）"
        )
    };
    Assignee::parse(code).ok_or_else(|| ServiceError::invalid(pointer, detail()))
}

/// A request to act on an order, not yet read.
#[derive(Debug)]
pub struct Act {
    caller: Caller,
    code: String,
    query: Option<String>,
    headers: HeaderMap,
    body: Body,
}

impl FromRequest<App> for Act {
    type Rejection = Failure;

    async fn from_request(request: Request, app: &App) -> std::result::Result<Self, Failure> {
        let (mut parts, body) = request.into_parts();
        let caller = Caller::from_request_parts(&mut parts, app).await?;
        let InPath(code) = InPath::<String>::from_request_parts(&mut parts, app).await?;
        let RawQuery(query) = RawQuery::from_request_parts(&mut parts, app).await.unwrap_or(RawQuery(None));
        Ok(Self { caller, code, query, headers: parts.headers, body })
    }
}

impl Act {
    async fn run<T: Acting>(self, app: App) -> Outcome {
        let mut params = Params::read(self.query.as_deref())?;
        let out = Out::from_params(&mut params)?;
        params.finish("out_crs")?;
        self.caller.known()?;
        let code = super::work_orders::code(&self.code)?;
        app.guli
            .serves(code.district())
            .map_err(|_| ServiceError::NotFound(say!("work order {code}", "工单 {code}")))?;
        let precondition = write::precondition(&self.headers)?;
        let bytes = body::bytes(&self.headers, self.body).await?;
        let path = format!("/v1/work-orders/{code}/{}", T::WORD);
        let idempotency = write::idempotency(&self.headers, &self.caller.0, &path, &bytes)?;
        let shower = Shower { app: app.clone(), actor: Arc::clone(&self.caller.0), moment: Moment::Now, out };
        let render = Render(Arc::new(move |view: &OrderView| write::rendered(whole(&shower, view))));
        let act = command(body::parse::<T>(&bytes)?, code, precondition, render)?;
        let what = What::Act(Box::new(act));
        let command = Command { district: code.district(), actor: (*self.caller.0).clone(), idempotency, what };
        write::respond(app.guli.submit(command).await)
    }
}

fn whole(shower: &Shower, view: &OrderView) -> Result<Rendered> {
    let etag = Some(format!("\"{}\"", view.order.version));
    // It is done; where the system asked for cannot show the place, WGS 84 does.
    let plain = || Shower { out: Out::default(), ..shower.clone() }.whole(view);
    let order = shower.whole(view).or_else(|_| plain())?;
    Ok(Rendered { status: 200, location: None, etag, body: to_bytes(&order)? })
}

fn command<T: Acting>(
    mut body: T,
    code: crate::domain::id::OrderCode,
    precondition: Precondition,
    render: Render<OrderView>,
) -> Result<ActCommand> {
    let (asked, reason) = body.asked()?;
    let common = body.common();
    if common.photos.is_some_and(|photos| !photos.is_empty()) {
        return Err(ServiceError::invalid("/photos/0", say!("no photo has this id", "没有此编号的照片")));
    }
    Ok(ActCommand {
        code,
        precondition,
        asked,
        reason: text(reason, "/reason")?,
        note: text(common.note, "/note")?,
        at: read(common.at.as_deref(), "/at")?,
        on_behalf_of: common.on_behalf_of.map(|code| assignee(&code, "/on_behalf_of")).transpose()?,
        render,
    })
}

/// Handlers of the actions, each described for itself.
macro_rules! handlers {
    ($($(#[$doc:meta])* $name:ident $body:ident $path:literal;)*) => {$(
        $(#[$doc])*
        #[utoipa::path(
            post, path = $path, tag = "work orders", security(("key" = [])),
            params(
                ("code" = String, Path, description = "Code of the order", example = "WO-370203-261123-00042-3"),
                (
                    "If-Match" = String, Header,
                    description = "The version that this is meant for, in quotes, or * for any", example = "\"3\"",
                ),
                ("Idempotency-Key" = Option<String>, Header, description = say::IDEMPOTENCY_KEY),
                ("out_crs" = Option<String>, Query, description = say::OUT_CRS),
            ),
            request_body = $body,
            responses(
                (status = 200, description = "Done: the whole order", body = WorkOrderOut, headers(
                    ("ETag" = String, description = "Its new version, for If-Match"),
                )),
                ActFaults, BodyFaults,
            ),
        )]
        pub async fn $name(State(app): State<App>, act: Act) -> Outcome {
            act.run::<$body>(app).await
        }
    )*};
}

handlers! {
    /// Accept an order (接单)
    accept AcceptIn "/v1/work-orders/{code}/accept";
    /// Arrive on site (到场)
    arrive ArriveIn "/v1/work-orders/{code}/arrive";
    /// Make the place safe (控险)
    secure SecureIn "/v1/work-orders/{code}/secure";
    /// Repair (修复)
    repair RepairIn "/v1/work-orders/{code}/repair";
    /// Verify the repair (核查)
    verify VerifyIn "/v1/work-orders/{code}/verify";
    /// Close (结案)
    close CloseIn "/v1/work-orders/{code}/close";
    /// Determine cover, category or damage (认定)
    identify IdentifyIn "/v1/work-orders/{code}/identify";
    /// Hand to another unit (改派)
    reassign ReassignIn "/v1/work-orders/{code}/reassign";
}
