//! Exposure against number of rules: what a smaller or larger quota would buy.

use crate::tighten::plan::CurvePoint;

/// Numbers of rules that are tried, besides the quota.
const STEPS: [u32; 11] = [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48];

/// Numbers of rules to try, up to the quota.
pub(crate) fn steps(quota: u32) -> impl Iterator<Item = u32> {
    let below = STEPS.into_iter().filter(move |step| *step < quota);
    below.chain([quota])
}

/// The points that are worth their rules: fewest rules first, each opening
/// less than the one before.
pub(crate) fn worthwhile(mut points: Vec<CurvePoint>) -> Vec<CurvePoint> {
    points.sort_unstable();
    let mut kept: Vec<CurvePoint> = Vec::new();
    for point in points {
        if kept
            .last()
            .is_none_or(|last| point.exposure < last.exposure)
        {
            kept.push(point);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_that_cost_rules_and_save_nothing_are_left_out() {
        let point = |rules, exposure| CurvePoint { rules, exposure };
        let points = vec![
            point(4, 7),
            point(1, 9),
            point(2, 9),
            point(4, 8),
            point(6, 7),
        ];
        assert_eq!(worthwhile(points), [point(1, 9), point(4, 7)]);
    }

    #[test]
    fn the_quota_itself_is_always_tried() {
        assert_eq!(steps(1).collect::<Vec<_>>(), [1]);
        assert_eq!(steps(5).collect::<Vec<_>>(), [1, 2, 3, 4, 5]);
    }
}
