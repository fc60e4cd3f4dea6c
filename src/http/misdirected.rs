//! Requests about districts that are in the database and not in this server: served elsewhere (421), or still being
//! loaded (503). Nothing is read for them, however their codes are written.

use axum::http::Uri;

use crate::domain::id::DistrictCode;
use crate::service::Guli;
use crate::service::error::Result;

/// Refuses what names a district that is not here, in its path or as its `district`. Costs nothing where everything
/// is here.
pub(super) fn check(guli: &Guli, uri: &Uri) -> Result<()> {
    if guli.has_everything() {
        return Ok(());
    }
    let mut named = of_path(uri.path()).into_iter().chain(of_query(uri.query()));
    named.try_for_each(|district| guli.is_not_elsewhere(district))
}

/// The district that a code in the path begins with.
fn of_path(path: &str) -> Option<DistrictCode> {
    const CODED: [&str; 8] =
        ["covers", "work-orders", "grids", "communities", "subdistricts", "districts", "organizations", "reports"];
    let mut parts = path.strip_prefix("/v1/")?.split('/');
    parts.next().filter(|part| CODED.contains(part))?;
    let code = parts.next()?;
    code.strip_prefix("WO-").unwrap_or(code).get(..6)?.parse().ok()
}

fn of_query(query: Option<&str>) -> Option<DistrictCode> {
    let pairs = form_urlencoded::parse(query?.as_bytes());
    let mut named = pairs.filter(|(name, _)| name == "district");
    named.next()?.1.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_says_its_district() {
        for (path, district) in [
            ("/v1/covers/3702030101001370", Some("370203")),
            ("/v1/work-orders/WO-370203-261123-00042-3/accept", Some("370203")),
            ("/v1/grids/370203005002003", Some("370203")),
            ("/v1/organizations/370202-WAT01", Some("370202")),
            ("/v1/covers", None),
            ("/v1/covers/near", None),
            ("/v1/people/0190b1c2-0000-7000-8000-000000000000", None),
            ("/healthz", None),
        ] {
            assert_eq!(of_path(path), district.map(|code| code.parse().unwrap()), "{path}");
        }
        assert_eq!(of_query(Some("limit=3&district=370203")), Some("370203".parse().unwrap()));
        assert_eq!(of_query(None), None);
    }
}
