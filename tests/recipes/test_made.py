"""What is made out of prose to train on."""

import json
import lzma
import random
from collections import Counter, defaultdict

import pytest
from safetensors.numpy import load_file, save_file

from recipes.reatt_mini import data
from recipes.reatt_mini.batches import Form, draw
from recipes.reatt_mini.data import Source, held_out, lines, training_tokenizer
from recipes.reatt_mini.made import compare, entities, facts, glossary, lists, prose, tables, texts
from recipes.reatt_mini.made.cells import Cells, patterns, style
from recipes.reatt_mini.made.words import Words, words

SORTS = (
    "first last city film book song firm club museum river food tool plant animal substance drug subject idea".split()
)
SYLLABLES = ("ba", "lo", "mir", "ten", "sa", "gu")
NAMES = [(a + b).title() for a in SYLLABLES for b in SYLLABLES]
MONTHS = ("January", "March", "July", "October")
NONE = texts.Judged(frozenset(), frozenset())
SENTENCE = "{0} {1} (born {3} {2}) is a {5} {6}. He was born in {4}. He is known for long walks in the hills near {4}."
TOWN = "{0}ville is a town in {1}. The population was {2:,} at the 2010 census. It was founded in {3}."
MORE = "In {3} the council of {0}ville built a stone bridge across the river.\n" + "The town is quiet and old. " * 9


def made_words():
    return Words({sort: tuple(f"{name}{sort[0]}" for name in NAMES) for sort in SORTS})


def people():
    for number, name in enumerate(NAMES):
        day = f"{number % 28 + 1} {MONTHS[number % 4]}"
        nation = ("French", "German", "Italian")[number % 3]
        work = ("politician", "singer", "swimmer")[number % 3 if number % 2 else number // 3 % 3]
        other = NAMES[(number * 7 + 1) % 36]
        text = SENTENCE.format(name, other, 1900 + number, day, NAMES[(number + 5) % 36], nation, work)
        yield texts.Article(f"{name} {other}", text)


def towns():
    for number, name in enumerate(NAMES):
        values = (name, ("France", "Germany", "Italy")[number % 3], 5000 + 977 * number, 1500 + number)
        yield texts.Article(f"{name}ville", TOWN.format(*values) + "\n" + MORE.format(*values))


@pytest.fixture(scope="module")
def tokenizer(work):
    return training_tokenizer(work)


@pytest.fixture
def few(monkeypatch):
    monkeypatch.setattr(tables, "TABLES", 90)
    monkeypatch.setattr(lists, "DOCUMENTS", 60)


def written(folder, made, tokenizer, judging=NONE):
    texts.write(folder, made, tokenizer, judging)
    documents = {d["_id"]: d for d in lines(folder / "corpus.jsonl.gz")}
    return documents, list(lines(folder / "queries.jsonl.gz"))


@pytest.mark.parametrize("kind", [tables, lists])
def test_an_answer_stands_where_its_question_says(kind, few, tokenizer, tmp_path):
    documents, queries = written(tmp_path, kind.make(made_words(), tokenizer, 1), tokenizer)
    assert len(queries) > 200
    for query in queries:
        text, (answer,), (place,) = documents[query["doc_id"]]["text"], query["answers"], query["places"]
        assert text[place : place + len(answer)] == answer
        assert not {"\t", "|", "\n"} & set(answer)
        assert "{" not in query["text"] + text


@pytest.mark.parametrize("kind", [tables, lists])
def test_the_same_seed_gives_the_same_bytes(kind, few, tokenizer, tmp_path):
    for name, seed in (("one", 1), ("again", 1), ("other", 2)):
        texts.write(tmp_path / name, kind.make(made_words(), tokenizer, seed), tokenizer, NONE)
    files = [(tmp_path / name / "queries.jsonl.gz").read_bytes() for name in ("one", "again", "other")]
    assert files[0] == files[1] != files[2]


def test_packed_answers_are_the_ones_that_were_asked_for(few, tokenizer, tmp_path):
    documents, queries = written(tmp_path / "set", tables.make(made_words(), tokenizer, 1), tokenizer)
    kept = [query for query in queries if not held_out(documents[query["doc_id"]])]
    save_file(data.pack(tmp_path / "set", Source(1), tokenizer), tmp_path / "set.safetensors")
    packed = data.load(tmp_path / "set.safetensors")
    assert len(packed.asked) == len(kept) < len(queries)
    for number, query in enumerate(kept):
        ((start, end),) = zip(packed.starts[number], packed.ends[number], strict=True)
        text = packed.texts[packed.positives[number][0]]
        assert tokenizer.decode(text[start : end + 1]) == tokenizer.decode(tokenizer.answer(query["answers"][0]))


def test_every_kind_of_cell_can_be_made():
    dice = random.Random(1)
    cells = Cells(dice, made_words(), style(dice))
    found = tables.themes(tables.THEMES.read_text())
    kinds = {column.kind for theme in found for column in (theme.key, *theme.columns)} | set(patterns())
    assert len(found) > 40
    for kind in kinds - {"currency"}:
        assert cells.make(kind).strip()


def test_a_key_that_several_tables_have_is_asked_for_with_its_place(tokenizer):
    (theme,) = (each for each in tables.themes(tables.THEMES.read_text()) if each.placed)
    for seed in range(20):
        dice = random.Random(seed)
        table = tables.draw(theme, Cells(dice, made_words(), style(dice)))
        _, spans = tables.as_word(table, dice)
        asked = list(tables.questions(table, spans, dice, placed=True))
        assert asked
        assert all(table.place.lower() in each.text.lower() for each in asked)


def test_titles_are_sorted_by_what_first_sentences_call_them():
    found = words([*people(), *towns(), texts.Article("Kettle", "A kettle is a tool. Every kettle is hot.")])
    assert set(found.sorts["city"]) == {f"{name}ville" for name in NAMES}
    assert set(found.sorts["first"]) == set(NAMES)
    assert found.sorts["tool"] == ("kettle",)


def test_no_comparison_can_be_guessed_by_its_question():
    made = compare.make(list(facts.subjects([*people(), *towns()])), 1)
    comparisons = [query for query in made.queries if query["kind"] == "comparison"]
    answers = Counter(query["answers"][0].lower() for query in comparisons)
    first, second = Counter(), Counter()
    for query in comparisons:
        text, names = query["text"].lower(), [made.documents[int(d[1:])]["title"].lower() for d in query["doc_ids"]]
        one, two = sorted(names, key=text.index)
        first[one] += 1
        second[two] += 1
    assert len(comparisons) > 150
    assert first == second
    assert all(2 * answers[name] == first[name] + second[name] for name in first)


def test_a_comparison_is_right():
    born = {article.title: 1900 + number for number, article in enumerate(people())}
    made = compare.make(list(facts.subjects(people())), 1)
    asked = [(set(q["text"].strip("?").split()), q) for q in made.queries if q["kind"] == "comparison"]
    right = {"first": min, "earlier": min, "older": min, "later": max, "younger": max}
    told = [(word, query) for words, query in asked for word in right if word in words]
    assert len(told) > 50
    for word, query in told:
        names = [made.documents[int(d[1:])]["title"] for d in query["doc_ids"]]
        assert query["answers"] == [right[word](names, key=born.get)]


def test_yes_and_no_are_as_frequent_for_every_wording():
    made = compare.make(list(facts.subjects([*people(), *towns()])), 1)
    titles = [document["title"] for document in made.documents]
    told = defaultdict(Counter)
    for query in made.queries:
        wording = query["text"]
        for name in query["doc_ids"]:
            wording = wording.replace(titles[int(name[1:])], "X")
        if query["kind"] == "yesno":
            told[wording.lower().split(" x")[0]][query["answers"][0]] += 1
    total = sum(told.values(), Counter())
    assert total["yes"] > 100
    assert abs(total["yes"] - total["no"]) <= 0.05 * total["yes"]


def test_a_packed_comparison_names_what_it_has_to_be_read_with(tokenizer, tmp_path):
    made = compare.make(list(facts.subjects([*people(), *towns()])), 1)
    _, queries = written(tmp_path / "set", made, tokenizer)
    save_file(data.pack(tmp_path / "set", Source(1), tokenizer), tmp_path / "set.safetensors")
    packed = data.load(tmp_path / "set.safetensors")
    assert 300 < len(packed.asked) <= len(queries)
    for number in range(len(packed.asked)):
        home, others = packed.positives[number][0], packed.others[number]
        assert len(others) == 1
        assert home not in others
        (answer,) = (tokenizer.decode(packed.answers[n]) for n in packed.given[number])
        assert bool(packed.starts[number]) == (answer not in {"yes", "no"})
    batch = draw({"compare": (packed, Source(1, 1, 2))}, Form(900, 96, 2, 3), 1)
    told = [asked for asked in batch.questions if asked.others]
    assert len(told) > 3
    assert all(asked.own not in asked.others for asked in told)
    assert any(asked.spans for asked in told)


def test_a_set_that_was_packed_without_others_can_still_be_loaded(work, tmp_path):
    arrays = load_file(work / "one.safetensors")
    save_file({name: value for name, value in arrays.items() if "others" not in name}, tmp_path / "old.safetensors")
    old, new = data.load(tmp_path / "old.safetensors"), data.load(work / "one.safetensors")
    assert len(old.others) == len(new.others) == len(new.asked)
    assert not old.others[3]


def test_prose_is_asked_for_what_it_says(tokenizer, tmp_path):
    documents, queries = written(tmp_path, prose.make([*people(), *towns()], 1), tokenizer)
    said = {query["text"]: query["answers"] for query in queries}
    assert len(said) > 100
    assert ["Italy"] in said.values()
    assert all(answer in documents[query["doc_id"]]["text"] for query in queries for answer in query["answers"])


def test_a_question_that_is_not_answered_has_a_paragraph_of_the_same_article(tokenizer, tmp_path):
    documents, queries = written(tmp_path, prose.lacking(list(towns()), 1), tokenizer)
    assert queries
    for query in queries:
        assert (query["answers"], query["unanswerable"]) == ([], True)
        assert documents[query["doc_id"]]["title"] in query["text"]
        assert "population" not in documents[query["doc_id"]]["text"]


def test_a_sentence_asks_what_another_paragraph_says():
    first = "The great northern bridge was designed by Ada Miller during the long war"
    again = "Ada Miller designed the great northern bridge before the war ended."
    filler = "Nothing else is told of it here, and nobody in the whole long valley knows any more about it today."
    text = "\n".join(f"{said} {filler} {filler}" for said in (f"{first}.", again))
    dice = random.Random(1)
    found = {q.text: q for q in prose.clozes(texts.Article("Bridge", text), dice)}
    assert all(q.answer == "Ada Miller" and q.answer in q.document for q in found.values())
    assert found


def test_entities_are_asked_for_on_the_paragraph_that_holds_the_answer(tokenizer, tmp_path):
    rows = []
    for number, article in enumerate(people()):
        query = {"_id": str(number), "text": f"Where was {article.title} born?", "relation": "P19"}
        rows.append(query | {"answers": ["Nowhere", NAMES[(number + 5) % 36]]})
    file = tmp_path / "questions.jsonl.gz"
    texts._write_lines(file, rows)
    documents, queries = written(tmp_path / "set", entities.make(list(people()), file, 1), tokenizer)
    assert len(queries) == 36
    assert all(query["answers"][0] in documents[query["doc_id"]]["text"] for query in queries)


def test_a_glossary_is_asked_both_ways(tokenizer, tmp_path):
    rows = []
    for number, name in enumerate(NAMES):
        meaning = f"a stone of {name}, which is {number} years old"
        rows.append({"module": f"Unit {number // 9}", "term": f"{name}ite", "definition": meaning})
    documents, queries = written(tmp_path, glossary.make(rows, 1), tokenizer)
    assert {query["answers"][0].endswith("ite") for query in queries} == {True, False}
    for query in queries:
        (answer,), (place,) = query["answers"], query["places"]
        assert documents[query["doc_id"]]["text"][place : place + len(answer)] == answer


def test_nothing_that_is_held_out_or_judged_is_read(tmp_path):
    every = [*people(), *towns()]
    rows = "\n".join(json.dumps({"title": a.title, "text": a.text}) for a in every)
    (tmp_path / "simplewiki-000.jsonl.xz").write_bytes(lzma.compress(rows.encode()))
    judging = texts.Judged(frozenset({every[3].title}), frozenset())
    found = {article.title for article in texts.articles(tmp_path, [texts.SIMPLE], judging)}
    assert found == {a.title for a in every if not held_out({"title": a.title})} - {every[3].title}
    assert len(found) < 71


def test_a_question_that_is_judged_is_not_written(tokenizer, tmp_path):
    made = texts.Made()
    name = made.document("Graz", "Graz lies on the Mur.")
    for question in ("Where is Graz?", "On what does Graz lie?", "on what does graz lie"):
        made.ask(question, ["the Mur"], name)
    judging = texts.Judged(frozenset(), frozenset({texts.plain("where is Graz")}))
    assert [query["text"] for query in written(tmp_path, made, tokenizer, judging)[1]] == ["On what does Graz lie?"]
