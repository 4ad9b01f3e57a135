//! Pages of lists that are made anew for each request. PURE.

use super::{Bad, operations::PAGE_MOST};

/// A page of a list, and the cursor of the next one, if there is more.
pub type PageOf<T> = (Vec<T>, Option<String>);

/// The items behind the cursor, as many as the limit says.
///
/// The cursor names the last item of the page before, and its place: if that item has gone meanwhile, the page begins at its
/// place.
pub fn paged<T>(
    mut items: Vec<T>,
    limit: Option<u32>,
    cursor: Option<&str>,
    id: impl Fn(&T) -> String,
) -> Result<PageOf<T>, Bad> {
    let limit = limit.unwrap_or(PAGE_MOST);
    if !(1..=PAGE_MOST).contains(&limit) {
        return Err(Bad::new("limit", format!("{limit} is not between 1 and {PAGE_MOST}")));
    }
    // A form that was not filled in sends an empty one.
    let begin = match cursor.filter(|cursor| !cursor.is_empty()) {
        None => 0,
        Some(cursor) => {
            let (place, last) = cursor
                .split_once('.')
                .and_then(|(place, last)| Some((place.parse::<usize>().ok()?, last)))
                .ok_or_else(|| Bad::new("cursor", "is not a value that this server gave as `next`"))?;
            let is_last = |item: &T| id(item) == last;
            // Mostly nothing has changed.
            let found =
                if items.get(place).is_some_and(is_last) { Some(place) } else { items.iter().position(is_last) };
            found.map_or(place, |found| found + 1).min(items.len())
        }
    };
    let mut page = items.split_off(begin);
    let is_more = page.len() > limit as usize;
    page.truncate(limit as usize);
    let last = page.last().filter(|_| is_more);
    let next = last.map(|last| format!("{}.{}", begin + page.len() - 1, id(last)));
    Ok((page, next))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(items: &[&str], limit: u32, cursor: Option<&str>) -> PageOf<String> {
        let items = items.iter().map(|item| (*item).to_owned()).collect();
        paged(items, Some(limit), cursor, String::clone).expect("a page")
    }

    #[test]
    fn pages_of_a_list_follow_each_other() {
        let all = ["a", "b", "c", "d", "e"];
        let (first, next) = page(&all, 2, None);
        assert_eq!((first, next.as_deref()), (vec!["a".to_owned(), "b".to_owned()], Some("1.b")));
        assert_eq!(page(&all, 2, Some("1.b")).0, ["c", "d"]);
        assert_eq!(page(&all, 9, Some("3.d")), (vec!["e".to_owned()], None));
        assert_eq!(page(&all, 2, Some("")), page(&all, 2, None));
        assert_eq!(page(&all, 5, None).1, None, "all are on the page");
        assert_eq!(page(&["z", "a", "b", "c"], 1, Some("1.b")).0, ["c"], "it is at another place");
        assert_eq!(page(&["a", "c", "d"], 1, Some("1.b")).0, ["c"], "it has gone");
        assert_eq!(page(&[], 1, Some("1.b")), (Vec::new(), None));
        for cursor in ["x", "-1.a", "1"] {
            assert!(paged(vec![1], None, Some(cursor), |_| String::new()).is_err(), "{cursor}");
        }
        for limit in [0, PAGE_MOST + 1] {
            assert!(paged(vec![1], Some(limit), None, |_| String::new()).is_err(), "{limit}");
        }
    }
}
