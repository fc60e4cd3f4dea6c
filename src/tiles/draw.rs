//! What each layer shows, drawn from the index.

use std::collections::HashMap;

use jiff::Timestamp;

use super::clip::Cutter;
use super::encode::{self, Value};
use super::place::{Scale, Tile};
use super::{Detail, Layer, Part};
use crate::domain::actor::{self, Action, Actor, OrderFilter, Resource};
use crate::domain::cover::{Accuracy, Status};
use crate::domain::id::{DistrictCode, OrderCode};
use crate::index::{AreaLevel, CoverMark, CoverMarks, Index, Outline};

/// Units beside a tile that belong to it too, so that strokes and symbols on its border are drawn in full: a line
/// of 16 pixels, a symbol of 32, where a tile is 512 wide.
const AREA_MARGIN: i32 = 64;
const POINT_MARGIN: i32 = 128;

/// Units that an area must measure, on its longer side at least, to be worth a label: four pixels.
const LABELLED: i64 = 32;

/// The degrees that a layer's tile is drawn from.
pub(super) fn bounds(layer: Layer, tile: Tile) -> [f64; 4] {
    let points = matches!(layer, Layer::Covers | Layer::WorkOrders);
    tile.bounds(if points || is_label(layer) { POINT_MARGIN } else { AREA_MARGIN })
}

fn is_label(layer: Layer) -> bool {
    matches!(layer, Layer::GridLabel | Layer::SubdistrictLabel)
}

fn level(layer: Layer) -> AreaLevel {
    match layer {
        Layer::Districts => AreaLevel::District,
        Layer::Subdistricts | Layer::SubdistrictLabel => AreaLevel::Subdistrict,
        Layer::Communities => AreaLevel::Community,
        _ => AreaLevel::Grid,
    }
}

/// Areas, or their labels.
pub(super) fn areas(index: &Index, layer: Layer, tile: Tile) -> Vec<u8> {
    let (scale, mut cutter) = (Scale::of(tile), Cutter::default());
    let mut drawn = encode::Layer::new(layer.as_str(), layer.keys(Detail::Full));
    let labels = is_label(layer);
    index.outlines_in(level(layer), bounds(layer, tile), |outline| {
        let [west, south, east, north] = outline.bounds();
        let ((left, top), (right, bottom)) = (scale.place(west, north), scale.place(east, south));
        if labels {
            if (right - left).max(bottom - top) >= LABELLED
                && let Some(at) = scale.spot(outline.label(), POINT_MARGIN)
            {
                name(&mut drawn, &outline);
                drawn.point(Some(outline.code), at);
            }
        } else if left < right && top < bottom {
            rings(&mut drawn, &mut cutter, scale, &outline);
            if drawn.has_rings() {
                name(&mut drawn, &outline);
                drawn.polygons(Some(outline.code));
            }
        }
    });
    drawn.finish()
}

fn name(drawn: &mut encode::Layer, outline: &Outline<'_>) {
    let (code, name) = (drawn.text(&outline.code.to_string()), drawn.text(outline.name));
    drawn.tag(0, code);
    drawn.tag(1, name);
}

fn rings(drawn: &mut encode::Layer, cutter: &mut Cutter, scale: Scale, outline: &Outline<'_>) {
    let rings = outline.rings().map(|(hole, ring)| (hole, ring.map(|(lon, lat)| scale.place(lon, lat))));
    cutter.cut(rings, AREA_MARGIN).for_each(|ring| drawn.ring(ring));
}

/// Covers, of each district as far as the caller sees them there.
pub(super) fn covers(index: &Index, tile: Tile, parts: &[Part]) -> Vec<u8> {
    let bounds = bounds(Layer::Covers, tile);
    let scale = Scale::of(tile);
    let most = parts.iter().map(|part| part.detail).max().unwrap_or(Detail::Hidden);
    let mut drawn = encode::Layer::new(Layer::Covers.as_str(), Layer::Covers.keys(most));
    let mut words = Words::default();
    for part in parts {
        let mut category = Repeated::default();
        match part.detail {
            Detail::Hidden => {}
            Detail::Public => {
                for spot in index.cover_spots(part.district, bounds) {
                    let Some(at) = scale.spot(spot.at, POINT_MARGIN) else { continue };
                    let category = category.get(spot.category, || drawn.text(&spot.category.to_string()));
                    drawn.tag(0, category);
                    drawn.point(None, at);
                }
            }
            Detail::Full => {
                let CoverMarks { marks, units } = index.cover_marks(part.district, bounds);
                drawn.expect(marks.len());
                let units: Vec<Value> = units.iter().map(|unit| drawn.text(unit.as_str())).collect();
                for mark in marks {
                    let Some(at) = scale.spot(mark.at, POINT_MARGIN) else { continue };
                    let category = category.get(mark.category, || drawn.text(&mark.category.to_string()));
                    drawn.tag(0, category);
                    let code = full(&mut drawn, part.district, &mark, &units, &mut words);
                    drawn.point(code, at);
                }
            }
        }
    }
    drawn.finish()
}

/// The values of words, once written.
#[derive(Debug, Default)]
struct Words {
    status: [Option<Value>; Status::ALL.len()],
    accuracy: [Option<Value>; Accuracy::ALL.len()],
}

/// Tags what only holders of a key see; gives the code.
fn full(
    drawn: &mut encode::Layer,
    district: DistrictCode,
    mark: &CoverMark,
    units: &[Value],
    words: &mut Words,
) -> Option<u64> {
    let code = mark.code(district);
    if let Some(code) = code {
        let digits = digits(code);
        let code = drawn.text(std::str::from_utf8(&digits).unwrap_or_default());
        drawn.tag(1, code);
    }
    for (key, unit) in [(2, mark.owner), (3, mark.responsible_unit)] {
        if let Some(value) = unit.and_then(|unit| units.get(usize::from(unit))) {
            drawn.tag(key, *value);
        }
    }
    let status = *words.status[mark.status as usize].get_or_insert_with(|| drawn.text(mark.status.as_str()));
    drawn.tag(4, status);
    let accuracy = *words.accuracy[mark.accuracy as usize].get_or_insert_with(|| drawn.text(mark.accuracy.as_str()));
    drawn.tag(5, accuracy);
    code
}

/// The sixteen digits of a cover's code.
fn digits(mut code: u64) -> [u8; 16] {
    let mut digits = [b'0'; 16];
    for digit in digits.iter_mut().rev() {
        *digit += u8::try_from(code % 10).unwrap_or(0);
        code /= 10;
    }
    digits
}

/// The value of what comes many times in a row.
#[derive(Debug)]
struct Repeated<T>(Option<(T, Value)>);

impl<T> Default for Repeated<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<T: PartialEq> Repeated<T> {
    fn get(&mut self, what: T, write: impl FnOnce() -> Value) -> Value {
        match &self.0 {
            Some((last, value)) if *last == what => *value,
            _ => self.0.insert((what, write())).1,
        }
    }
}

/// The open orders that the caller may see.
pub(super) fn orders(index: &Index, actor: &Actor, tile: Tile, now: Timestamp) -> Vec<u8> {
    let scale = Scale::of(tile);
    let mut drawn = encode::Layer::new(Layer::WorkOrders.as_str(), Layer::WorkOrders.keys(Detail::Full));
    let (visible, mut values) = (OrderFilter::of(actor), HashMap::<String, Value>::new());
    let mut readable: Option<(DistrictCode, bool)> = None;
    let flags = [drawn.flag(false), drawn.flag(true)];
    let owners = matches!(&visible, OrderFilter::Of { owners, .. } if !owners.is_empty());
    for order in index.orders_in(bounds(Layer::WorkOrders, tile)) {
        let Some(at) = scale.spot((order.position.lon(), order.position.lat()), POINT_MARGIN) else { continue };
        let district = order.code.district();
        let may = match readable {
            Some((known, may)) if known == district => may,
            _ => actor::authorize(actor, Action::ReadOrders, Resource::District(district)).is_ok(),
        };
        readable = Some((district, may));
        let owner = order.cover.filter(|_| owners).and_then(|cover| index.cover_by_id(cover)?.owner.clone());
        let owner = owner.as_ref().map(|owner| &owner.code);
        if !may || !visible.admits(order.grid, &order.assignee, owner) {
            continue;
        }
        let mut text = |text: String| {
            let value = values.get(&text).copied();
            value.unwrap_or_else(|| {
                let value = drawn.text(&text);
                values.insert(text, value);
                value
            })
        };
        let (status, damage) = (text(order.status.to_owned()), text(order.damage.as_str().to_owned()));
        let (due_at, grid) = (text(order.due_at.to_string()), text(order.grid.to_string()));
        let code = drawn.text(&order.code.to_string());
        let overdue = flags[usize::from(order.is_overdue(now))];
        for (key, value) in (0..).zip([code, status, damage, due_at, overdue, grid]) {
            drawn.tag(key, value);
        }
        drawn.point(order_id(order.code), at);
    }
    drawn.finish()
}

/// A number for an order that no other has and that a JavaScript number holds: 20 bits of district, 16 of day,
/// 17 of counter. Further orders of a day have none.
fn order_id(code: OrderCode) -> Option<u64> {
    let number = u64::try_from(code.number()).ok()?;
    let (date, counter) = (number / 1_000_000_000, number % 1_000_000_000);
    let day = date / 10_000 * 372 + date / 100 % 100 * 31 + date % 100;
    (counter < 1 << 17).then(|| code.district().number() << 33 | day << 17 | counter)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn orders_have_numbers_of_their_own() {
        let id = |text: &str| {
            let mut parts = text.split('-');
            let mut part = || parts.next().unwrap().parse::<i64>().unwrap();
            let district = DistrictCode::from_number(part().unsigned_abs()).unwrap();
            let (day, counter) = (part(), part());
            order_id(OrderCode::from_number(district, day * 1_000_000_000 + counter).unwrap())
        };
        let codes =
            ["370203-261123-1", "370203-261123-131071", "370203-261124-1", "370203-261223-1", "370202-261123-1"];
        let mut ids: Vec<_> = codes.iter().map(|code| id(code).unwrap()).collect();
        assert!(id("999999-991231-131071").unwrap() < 1 << 53);
        ids.sort_unstable();
        ids.dedup();
        assert_eq!((ids.len(), id("370203-261123-131072")), (5, None));
    }

    #[test]
    fn codes_have_sixteen_digits() {
        assert_eq!(&digits(3_702_030_103_000_001), b"3702030103000001");
    }
}
