//! Invented names. That a real community or person has one of them would be chance.

use super::rng::Rng;

const FIRST: [&str; 12] = ["海", "福", "瑞", "锦", "云", "清", "安", "和", "文", "景", "嘉", "明"];
const SECOND: [&str; 12] = ["晏", "泽", "澜", "庭", "岚", "宁", "苑", "康", "霖", "昌", "祥", "舒"];

/// The k-th community's name: 海晏社区. Each of 144 once.
pub(super) fn community(k: usize) -> String {
    // Steps of 5 and of 1 in the two lists: neighbours share no character.
    let (round, step) = (k / 12, k % 12);
    format!("{}{}社区", FIRST[(step * 5) % 12], SECOND[(step + round) % 12])
}

/// 一 … 九.
pub(super) fn numeral(k: usize) -> &'static str {
    ["零", "一", "二", "三", "四", "五", "六", "七", "八", "九"].get(k).copied().unwrap_or("十")
}

const FAMILY: &str = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎余潘杜戴夏钟汪田任姜范方石姚谭廖邹熊金陆郝孔白崔康毛邱秦江史顾侯邵孟龙万段雷钱汤尹黎易常武乔贺赖龚文逄";
const GIVEN: &str = "伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰建国红梅志鹏宇浩然子轩欣怡佳琪思远海波晓东春燕立新永康瑞祥文博雅婷雪峰振宁家豪一诺俊凯嘉乐玲慧颖";

/// A person's name of two or three characters.
pub(super) fn person(rng: &mut Rng) -> String {
    let draw = |from: &str, rng: &mut Rng| from.chars().nth(rng.below(from.chars().count()));
    let mut name: String = draw(FAMILY, rng).into_iter().collect();
    name.extend(draw(GIVEN, rng));
    if rng.chance(0.8) {
        name.extend(draw(GIVEN, rng));
    }
    name
}
