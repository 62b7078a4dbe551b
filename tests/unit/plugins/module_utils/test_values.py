# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Values of template variables: which are accepted, where they come from, what they become in a template."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from unit.plugins.module_utils.builders import host_facts, json_values, utf8_text

from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import InvalidInputError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._systemd_unit import settings
from ansible_collections.projectatomic.system_containers.plugins.module_utils._template import FORCED, variables
from ansible_collections.projectatomic.system_containers.plugins.module_utils._user_values import check_user_values
from ansible_collections.projectatomic.system_containers.plugins.module_utils._values import (
    as_text,
    host_values,
    substitute_json,
    substitute_tmpfiles,
    substitute_unit,
)

# --- what a user may set


def test_user_values_are_kept_as_they_are() -> None:
    values: dict[str, Any] = {"A": "text", "_b": 1, "C9": 1.5, "D": True, "E": False, "F": "", "G": 0}
    checked = check_user_values(values)
    assert checked == values
    assert [type(value) for value in checked.values()] == [type(value) for value in values.values()]


def test_null_means_unset() -> None:
    assert check_user_values({"A": None, "B": "b"}) == {"B": "b"}


@pytest.mark.parametrize("name", FORCED)
def test_forced_variables_are_refused(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"'{name}' cannot be set"):
        check_user_values({name: "x"})


def test_all_forced_variables_are_named() -> None:
    with pytest.raises(InvalidInputError, match="'DESTDIR', 'NAME' cannot be set"):
        check_user_values({"NAME": "x", "OK": "y", "DESTDIR": "z"})


@pytest.mark.parametrize("name", ["", "1A", "A-B", "A B", "A.B", "A\n", "$A", "${A}", "É", "A=B"])
def test_names_that_no_template_can_use(name: str) -> None:
    with pytest.raises(InvalidInputError, match="is not a variable name"):
        check_user_values({name: "x"})


@pytest.mark.parametrize("value", [b"x", object(), {1}, [b"x"]])
def test_types_that_are_refused(value: Any) -> None:
    with pytest.raises(InvalidInputError, match="'A'"):
        check_user_values({"A": value})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_json_does_not_have(value: float) -> None:
    with pytest.raises(InvalidInputError, match="'A'"):
        check_user_values({"A": value})


@pytest.mark.parametrize("value", ["\ud800", "a\udfffb"])
def test_text_that_no_file_can_hold(value: str) -> None:
    """Lone surrogates are no UTF-8; left in, writing the file fails with a traceback."""
    with pytest.raises(InvalidInputError, match="'A'"):
        check_user_values({"A": value})


@given(st.dictionaries(st.text(max_size=4) | st.sampled_from(["NAME", "A"]), json_values, max_size=3))
def test_any_values_are_accepted_or_refused(values: dict[str, Any]) -> None:
    try:
        checked = check_user_values(values)
    except InvalidInputError:
        return
    assert set(checked) == {name for name, value in values.items() if value is not None}


# --- what the host sets


def test_host_values() -> None:
    values = host_values(name="app", root="/srv", facts=host_facts(), user={}, recorded_uuid=None)
    assert values["RUN_DIRECTORY"] == "/run"
    assert values["STATE_DIRECTORY"] == "/var/lib"
    assert values["CONF_DIRECTORY"] == "/etc"
    assert values["PIDFILE"] == "/run/container-app.pid"
    assert values["RUNTIME"] == "/usr/bin/runc"
    assert values["ALL_PROCESS_CAPABILITIES"] == '"CAP_CHOWN",\n"CAP_KILL"\n'
    assert json.loads(f"[{values['ALL_PROCESS_CAPABILITIES']}]") == ["CAP_CHOWN", "CAP_KILL"]


def test_pid_file_follows_the_run_directory() -> None:
    user = {"RUN_DIRECTORY": "/run/other"}
    values = host_values(name="app", root="/srv", facts=host_facts(), user=user, recorded_uuid=None)
    assert values["PIDFILE"] == "/run/other/container-app.pid"


def uuid_of(*, name: str = "app", root: str = "/srv", machine: str = "m", recorded: str | None = None) -> object:
    facts = host_facts(machine_id=machine)
    return host_values(name=name, root=root, facts=facts, user={}, recorded_uuid=recorded)["UUID"]


def test_uuid_is_made_once_and_kept() -> None:
    assert uuid_of() == uuid_of()
    assert str(uuid_of())[14] == "5"
    assert len({uuid_of(), uuid_of(name="app2"), uuid_of(root="/srv2"), uuid_of(machine="m2")}) == 4
    assert uuid_of(recorded="from-before") == "from-before"


# --- how they are spelled


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("text", "text"),
        ("", ""),
        ("True", "True"),
        (True, "true"),
        (False, "false"),
        (0, "0"),
        (-5, "-5"),
        (1.5, "1.5"),
        (10**30, "1" + "0" * 30),
    ],
)
def test_as_text(value: Any, text: str) -> None:
    assert as_text(value) == text


@pytest.mark.parametrize(
    ("template", "names"),
    [
        ("", set()),
        ("$A ${B}$C-$_d", {"A", "B", "C", "_d"}),
        ("$$A $${B}", set()),
        ("$$$A", {"A"}),
        ("$ $1 ${ ${} ${A-b}", set()),
        ("$AB$A", {"A", "AB"}),
        ("$Aé", {"A"}),
    ],
)
def test_variables(template: str, names: set[str]) -> None:
    assert variables(template) == names


@pytest.mark.parametrize(
    ("template", "result"),
    [
        ("no variable", "no variable"),
        ("$A", "a"),
        ("${A}B", "aB"),
        ("$AB", "ab"),
        ("$A.$A", "a.a"),
        ("$$", "$"),
        ("$$A", "$A"),
        ("$${A}", "${A}"),
        ("$$$A", "$a"),
        ("$$$$", "$$"),
    ],
)
def test_template_language(template: str, result: str) -> None:
    assert substitute_unit(f"K={template}", {"A": "a", "AB": "ab"}) == f"K={result}"
    assert substitute_json(f'"{template}"', {"A": "a", "AB": "ab"}, file="f") == f'"{result}"'


@pytest.mark.parametrize("template", ["$", "a $ b", "$1", "${", "${}", "${A", "${A-b}", "${ A}", "$-", "$é", "$$$"])
def test_dollar_that_starts_nothing(template: str) -> None:
    with pytest.raises(InvalidInputError, match=r"service.template: line 3 .*write '\$\$'"):
        substitute_unit(f"\n\n{template}", {"A": "a"})
    with pytest.raises(InvalidInputError, match=r"config\.json\.template: line 1 "):
        substitute_json(f'"{template}"', {"A": "a"}, file="config.json.template")


def test_values_are_not_templates() -> None:
    values = {"A": "$B ${B} $$ $", "B": "b"}
    assert substitute_unit("K=$A", values) == "K=$B ${B} $$ $"
    assert json.loads(substitute_json('"$A"', values, file="f")) == "$B ${B} $$ $"


# --- in JSON


@pytest.mark.parametrize(
    "text",
    [
        'say "hello"',
        "back\\slash",
        "ends in a backslash\\",
        "line\nbreak\r\ttab",
        "\x00\x01\x1f\x7f",
        "ünïcode 漢字 😀",
        "\u2028\u2029",
        "$A ${A} $$",
        '", "injected": "',
        '"], "x": ["',
        "</script>",
    ],
)
def test_inside_a_json_string(text: str) -> None:
    template = '{"a": "$A", "b": ["x ${A} y", "$A$A"], "\\"q\\\\": "$A"}'
    result = json.loads(substitute_json(template, {"A": text}, file="f"))
    assert result == {"a": text, "b": [f"x {text} y", text + text], '"q\\': text}


@given(text=st.text(max_size=40), before=utf8_text, after=utf8_text)
def test_any_text_comes_back_from_a_json_string(text: str, before: str, after: str) -> None:
    assume("$" not in before + after)
    template = json.dumps({"a": [before + "$A", "${A}" + after]})
    assert json.loads(substitute_json(template, {"A": text}, file="f")) == {"a": [before + text, text + after]}


@pytest.mark.parametrize(
    ("template", "value", "result"),
    [
        ('{"a": $A}', 5, {"a": 5}),
        ('{"a": $A}', True, {"a": True}),
        ('{"a": $A}', "null", {"a": None}),
        ('{"a": $A}', '"text"', {"a": "text"}),
        ('{"a": $A}', '{"b": [1, 2]}', {"a": {"b": [1, 2]}}),
        ("[1 $A]", "", [1]),
        ("[1 $A]", ", 2, 3", [1, 2, 3]),
        ("[$A 1]", "2, 3,", [2, 3, 1]),
        ('[1$A, "$A"]', ",2", [1, 2, ",2"]),
        ("[1 $A]", ',\n{"type": "bind", "options": ["ro"]}\n', [1, {"type": "bind", "options": ["ro"]}]),
        ('{"a": 1 $A}', ', "b": {"c": 2}', {"a": 1, "b": {"c": 2}}),
        ("[$A]", '"]", "\\"], [1"', ["]", '"], [1']),
    ],
)
def test_raw_json(template: str, value: Any, result: Any) -> None:
    assert json.loads(substitute_json(template, {"A": value}, file="f")) == result


@pytest.mark.parametrize(
    "value",
    [
        '1], "x": [2',
        '1}, "x": {"a": 2',
        "]",
        "}",
        '"',
        "1]",
        "[1",
        '{"a": 1',
        '1, "x": 2',
        '"a", "b": 1',
        "text",
        "1 2",
        "// comment",
        "1 /* */",
        "True",
        "None",
        "'x'",
        "NaN",
        "-Infinity",
        "\\u005d",
        '"\n"',
    ],
)
def test_raw_value_that_is_not_json_of_its_own(value: str) -> None:
    with pytest.raises(InvalidInputError, match=r"config.json.template: the value of 'A' stands outside"):
        substitute_json('{"mounts": [$A]}', {"A": value}, file="config.json.template")


@given(st.text('[]{}",:1 \\a', max_size=12))
def test_a_raw_value_never_closes_what_is_around_it(value: str) -> None:
    try:
        text = substitute_json('{"x": [[0 $A], "end"], "y": 1}', {"A": value}, file="f")
        result = json.loads(text)
    except (InvalidInputError, ValueError):
        return
    assert list(result) == ["x", "y"]
    assert result["x"][1:] == ["end"]
    assert result["x"][0][0] == 0


@pytest.mark.parametrize(
    ("value", "result"),
    [
        ([], [0]),
        ([{"a": "$B"}], [0, {"a": "$B"}]),
        ([1, "two", None], [0, 1, "two", None]),
    ],
)
def test_a_list_adds_its_elements(value: list[Any], result: list[Any]) -> None:
    """DESIGN 8: a list in a raw place is its elements with the separating comma added, as for $ADDTL_MOUNTS."""
    assert json.loads(substitute_json("[0\n$A\n]", {"A": value}, file="f")) == result


@pytest.mark.parametrize(
    ("template", "a", "b", "result"),
    [
        ("[0$A$B]", [1], [2], "[0,1,2]"),
        ("[0$A$B]", [1], "", "[0,1]"),
        ("[0$A$B]", [1], [], "[0,1]"),
        ("[0$A$B]", [], [2], "[0,2]"),
        ("[0$A$B]", "", "", "[0]"),
        ("[$A $B]", "", [2], "[ 2]"),
        ("[$A $B]", [1], [2], "[1 ,2]"),
        ("[$A $B]", [1], "", "[1 ]"),
        ("[ $A\n$B 3]", [1], [2], "[ 1\n,2, 3]"),
        ("[ $A\n$B 3]", [1], "", "[ 1,\n 3]"),
        ("[ $A\n$B, 3]", [1], [2], "[ 1\n,2, 3]"),
        ('["$A"$B]', "a", ["b"], '["a","b"]'),
        ('[$A"$B"]', ["a"], "b", '["a","b"]'),
        ("{$A$B}", {"a": 1}, {"b": 2}, '{"a": 1,"b": 2}'),
        # Text brings its own commas, or else gets one from the list beside it.
        ("[0$A$B]", [1], ",2", "[0,1,2]"),
        ("[0$A$B]", ",1", [2], "[0,1,2]"),
        ("[$A$B 3]", "1,", [2], "[1,2, 3]"),
        ("[$A$B]", [1], "2", "[1,2]"),
        ("[$A $B]", "1", [2], "[1 ,2]"),
        ("[0$A $B\n]", ",1", ',{"x": 2}', '[0,1 ,{"x": 2}\n]'),
    ],
)
def test_neighbours_in_raw_json(template: str, a: Any, b: Any, result: str) -> None:
    """What a neighbour becomes decides whether there is a comma, not that there is one."""
    assert substitute_json(template, {"A": a, "B": b}, file="f") == result
    json.loads(result)


@given(st.lists(st.lists(st.integers(0, 9), max_size=2) | st.just(""), max_size=5), st.sampled_from(["", " ", "\n  "]))
def test_any_neighbours_in_raw_json(values: list[Any], between: str) -> None:
    names = [f"V{index}" for index in range(len(values))]
    row = between.join(f"${{{name}}}" for name in names)
    elements = [element for value in values for element in value]
    for before, after in (([], []), ([0], []), ([], [0]), ([0], [0])):
        template = f"[{','.join(map(str, before))}{row}{','.join(map(str, after))}]"
        assume(elements or not (before and after))
        text = substitute_json(template, dict(zip(names, values)), file="f")
        assert json.loads(text) == [*before, *elements, *after]


# --- in units and tmpfiles.d


@pytest.mark.parametrize("value", ["a b", "tab\there", "ünïcode", "x=y", "$A", ""])
def test_text_stands_as_it_is(value: str) -> None:
    for setting in ("Environment=A=", "Description=", "# Environment="):
        assert substitute_unit(f"{setting}$A\n", {"A": value}) == f"{setting}{value}\n"


@pytest.mark.parametrize("value", ["'", 'say "hi"', "a\\b \\"])
def test_a_setting_that_takes_its_text_as_it_is(value: str) -> None:
    assert substitute_unit("Description=$A.\n", {"A": value}) == f"Description={value}.\n"


@pytest.mark.parametrize("character", ["\n", "\r", "\x00", "\x0b", "\x0c", "\x1b", "\x7f"])
def test_control_characters_are_refused(character: str) -> None:
    with pytest.raises(InvalidInputError, match=r"service\.template: the value of 'A' holds a line break"):
        substitute_unit("A=$A", {"A": f"x{character}ExecStartPre=/bin/evil"})


def test_control_characters_of_the_template_stay() -> None:
    assert substitute_unit("\n\tK=$A\r\n\x0c", {"A": "a"}) == "\n\tK=a\r\n\x0c"


def test_a_value_cannot_join_lines() -> None:
    """A backslash at the end of a line continues it, so the next setting of the unit would vanish."""
    with pytest.raises(InvalidInputError):
        substitute_unit("Environment=A=$A\nUser=nobody\n", {"A": "x\\"})


def test_percent_is_no_specifier() -> None:
    """TRAPS 31: '%' is right for where it stands; a value means itself, not systemd's '%n'."""
    assert substitute_unit("Environment=A=$A\n", {"A": "50%n"}) == "Environment=A=50%%n\n"


def test_a_quote_cannot_end_a_quoted_word() -> None:
    """TRAPS 31: quoting is right for where it stands."""
    try:
        text = substitute_unit('Environment="A=$A"\n', {"A": 'x" "B=y'})
    except InvalidInputError:
        return
    assert text == 'Environment="A=x\\" \\"B=y"\n'


@pytest.mark.parametrize(
    ("template", "value", "result"),
    [
        ("d $A 0755 - - -", "/srv/a", "d /srv/a 0755 - - -"),
        ("d $A 0755 - - -", "/srv/50%", "d /srv/50%% 0755 - - -"),
        # The argument of these lines has C-style escapes (tmpfiles.d(5)); the value means itself.
        ("w /a 0644 - - - say $A", 'a "b" \\n', 'w /a 0644 - - - say a "b" \\\\n'),
        ("f+ /a 0644 - - - $A", "a\\b%", "f+ /a 0644 - - - a\\\\b%%"),
        ("  F /a - - - - $A", "\\", "  F /a - - - - \\\\"),
        ("L /a - - - - $A", "a\\b", "L /a - - - - a\\b"),
    ],
)
def test_tmpfiles(template: str, value: str, result: str) -> None:
    assert substitute_tmpfiles(template, {"A": value}) == result


@pytest.mark.parametrize("value", ["/srv/a 0777", "/srv/a\t0777", '"/srv/a', "'x", "/srv/a\\x20"])
@pytest.mark.parametrize("template", ["d $A 0755 - - -", "d /srv/$A 0755 - - -", "$A", "d /a 0755 root root $A"])
def test_a_value_stays_within_its_field(template: str, value: str) -> None:
    with pytest.raises(InvalidInputError, match=r"tmpfiles.template: the value of 'A' has white space"):
        substitute_tmpfiles(f"# first\n{template}\n", {"A": value})


@pytest.mark.parametrize("value", [["a"], {"a": "b"}])
@pytest.mark.parametrize("substitute", [substitute_tmpfiles, substitute_unit])
def test_lists_and_dicts_are_for_json(substitute: Callable[..., str], value: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"the value of 'A' is a (list|dict): give text"):
        substitute("$A", {"A": value})


@pytest.mark.parametrize("template", ["$A", "[Service]\n  $A\n"])
def test_a_value_is_no_line_of_its_own(template: str) -> None:
    with pytest.raises(InvalidInputError, match="would be a line of its own"):
        substitute_unit(template, {"A": "ExecStartPost=/bin/evil"})
    assert "ExecStartPost" in substitute_unit(template, {"A": "ExecStartPost=/bin/own"}, trusted={"A"})


def test_a_command_line_takes_values_as_they_are() -> None:
    """systemd.service(5), COMMAND LINES: '$' starts a variable of the environment there."""
    assert substitute_unit("ExecStart=/bin/a $A\n", {"A": "$HOME"}) == "ExecStart=/bin/a $$HOME\n"
    assert substitute_unit("ExecStart=/bin/a $A\n", {"A": "$HOME"}, trusted={"A"}) == "ExecStart=/bin/a $HOME\n"


@pytest.mark.parametrize("value", ["a ; /bin/evil", ";", 'say "', "it's"])
@pytest.mark.parametrize(
    "start", ["ExecStart=/bin/a ", "ExecStart=/bin/a \\\n  --b ", "ExecStart=a\\\n#c \\\n\t;\n -b"]
)
def test_a_value_adds_no_command(start: str, value: str) -> None:
    with pytest.raises(InvalidInputError, match="a quote or a lone ';' in a command line"):
        substitute_unit(f"{start}$A\n", {"A": value})


@pytest.mark.parametrize(
    ("template", "value", "result"),
    [
        ("ExecStart=/bin/a \\\n  $A\n", "--flag", "ExecStart=/bin/a \\\n  --flag\n"),
        ("ExecStart=/bin/a \\\n  --b=$A\n", "$HOME 5%", "ExecStart=/bin/a \\\n  --b=$$HOME 5%%\n"),
        ("ExecStart=/bin/a \\\r\n  $A \\\r\n -b", "$a", "ExecStart=/bin/a \\\r\n  $$a \\\r\n -b"),
        ("ExecStart=/bin/a \\\n# why\n ; so\n$A\n", "$a", "ExecStart=/bin/a \\\n# why\n ; so\n$$a\n"),
        ("ExecStart=/bin/a \\\n# $A \\\n$A\n", "$a", "ExecStart=/bin/a \\\n# $a \\\n$$a\n"),
        ("ExecStart=/bin/a 'b \\\n$A'\n", "it's $a", "ExecStart=/bin/a 'b \\\nit\\'s $$a'\n"),
        ("ExecStart=/bin/a $A.c\n", "a\\nb\\", "ExecStart=/bin/a a\\\\nb\\\\.c\n"),
        # Two backslashes are one, which continues nothing.
        ("ExecStart=/bin/a \\\\\nUser=$A\n", "$a", "ExecStart=/bin/a \\\\\nUser=$a\n"),
        ("# a \\\nUser=$A\n", "$a", "# a \\\nUser=$a\n"),
        ("ExecPaths=$A\n", "/a$b", "ExecPaths=/a$b\n"),
        ("Environment=A=$A B=\n", "C:\\new\\", "Environment=A=C:\\\\new\\\\ B=\n"),
        ("Environment=A=a \\\n  B=$A C\n", "\\", "Environment=A=a \\\n  B=\\\\ C\n"),
        ('Environment="A=1 \\\n $A"\n', 'q"r\\', 'Environment="A=1 \\\n q\\"r\\\\"\n'),
        ('Environment = "A=$A"\n', "it's", 'Environment = "A=it\'s"\n'),
        ("Environment=$A\n", "\"A=x y\" B='1'", "Environment=\"A=x y\" B='1'\n"),
        ("Environment=$A\n", '"A=x \\" y"', 'Environment="A=x \\" y"\n'),
    ],
)
def test_where_a_value_stands(template: str, value: str, result: str) -> None:
    """TRAPS 31: a line goes on after a backslash, with comments in between (systemd.syntax(7))."""
    assert substitute_unit(template, {"A": value}) == result


@pytest.mark.parametrize(
    ("template", "a", "b", "message"),
    [
        ("Environment=A=$A\n", "it's", "", "'A' has a quote that does not end, and Environment= has none around it"),
        (
            "Environment=A=1 \\\n B=$A\n",
            '"b c',
            "",
            "'A' has a quote that does not end, and Environment= has none around it",
        ),
        (
            "PassEnvironment=$A\n",
            '"B',
            "",
            "'A' has a quote that does not end, and PassEnvironment= has none around it",
        ),
        ("Description=x $A$B\nUser=a\n", "y\\", "", "'A' ends in a backslash"),
        ("Description=x $A$B\nUser=a\n", "y", "\\", "'B' ends in a backslash"),
        ("Description=x $A", "\\", "", "'A' ends in a backslash"),
        # The second backslash would take its meaning from the first: nothing would be continued.
        ("ExecStart=/a $A\\\n --user=b\n", "y\\", "", "'A' ends in a backslash"),
        ("ExecStart=/a \\\n $A\n", "# no", "", "'A' would make its line a comment"),
        ("ExecStart=/a \\\n $A$B c\n", "", ";", "'B' would make its line a comment"),
        ("ExecStart=/a \\\\\n $A\n", "User=b", "", "'A' would be a line of its own"),
        ("ExecStart=/a \\\n\n $A\n", "User=b", "", "'A' would be a line of its own"),
        ("# a \\\n $A\n", "User=b", "", "'A' would be a line of its own"),
        ("Exec$A\n", "Start=/b", "", "'A' would name a setting"),
    ],
)
def test_a_value_is_part_of_its_line_only(template: str, a: str, b: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=rf"service\.template: the value of {message}"):
        substitute_unit(template, {"A": a, "B": b})


def test_a_line_is_its_own_also_after_an_empty_value() -> None:
    with pytest.raises(InvalidInputError, match="'B' would be a line of its own"):
        substitute_unit("[Service]\n$A$B\n", {"A": "", "B": "User=root"}, trusted={"A"})


PIECES = [
    "${A}",
    "${B}",
    " ",
    "x",
    "=",
    "\n",
    "\\\n",
    "\n#",
    "\\\n;",
    '"',
    "'",
    "\nUser=",
    "\nExecStart=/a ",
    "\nEnvironment=A=",
]


@given(
    st.lists(st.sampled_from(PIECES), max_size=12),
    st.text("a=[#;\\ \"'$%]", max_size=4),
    st.text("\\#; u=", max_size=3),
)
def test_no_value_changes_what_else_a_unit_says(template: list[str], a: str, b: str) -> None:
    """The settings are those of the template, whatever the values are."""
    text = "[Service]\nX=" + "".join(template)
    try:
        made = substitute_unit(text, {"A": a, "B": b})
    except InvalidInputError:
        return
    plain = substitute_unit(text, {"A": "v", "B": "v"}, trusted={"A", "B"})
    keys = [key for key, _value in settings(plain, "Service")]
    if "v" not in "".join(keys):  # A value in the name of a setting is the author's wish.
        assert [key for key, _value in settings(made, "Service")] == keys
