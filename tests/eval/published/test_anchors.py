"""Published numbers: each says where it stands, and stands beside nothing that it cannot be compared with."""

from converters import tasks
from eval import metrics
from eval.published.anchors import anchors, beside, beside_published


def test_every_anchor_names_its_source_and_a_metric_of_its_task() -> None:
    assert len(anchors()) == 9
    for anchor in anchors():
        assert anchor.source.startswith("https://") and anchor.why and anchor.variant
        assert 0 <= anchor.value <= 1
        assert anchor.metric in tasks.get(anchor.task).metrics and metrics.get(anchor.metric)
        assert anchor.n > 0


def test_only_the_same_rows_and_normaliser_make_it_comparable() -> None:
    assert [anchor.value for anchor in beside("attributes", {"oa_mine": 491}, "strict")] == [0.8019, 0.7401]
    for rows, normaliser in (
        ({"oa_mine": 491}, "mave"),
        ({"oa_mine": 490}, "strict"),
        ({"oa_mine": 491, "mave": 1}, "strict"),
    ):
        assert beside("attributes", rows, normaliser) == []
    assert beside("ranking", {"ecinstruct": 1000}, "strict") == [], "comparable with eCeLLM's scoring alone"
    assert [anchor.value for anchor in beside("category_shortlist", {"product_catalogue": 48289}, "strict")] == [0.7903]
    assert beside("category", {"product_catalogue": 48289}, "strict") == [], "MLPerf lists the candidates"
    assert [anchor.value for anchor in beside_published("Query_Product_Rank", 1000)] == [0.876, 0.842]
    assert beside_published("Query_Product_Rank", 999) == [] and beside_published("Product_Matching", 1000) == []
