# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Frozen dataclasses whose methods are shared (pure).

``dataclasses.dataclass`` writes and compiles the methods of each class, in every run of a module anew, and a module has
many such classes. These have the same fields, so ``dataclasses.replace``, ``asdict`` and ``fields`` take them.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any, Callable, NoReturn, TypeVar

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    _Class = TypeVar("_Class", bound=type)

    def dataclass(*, frozen: bool) -> Callable[[_Class], _Class]:
        """Decorate a class as ``dataclasses.dataclass(frozen=True)`` does: init, repr, comparison, hash."""
        if not frozen:
            raise TypeError("these classes are frozen: say frozen=True")
        make = dataclasses.dataclass(init=False, repr=False, eq=False)

        def decorate(cls: _Class) -> _Class:
            for name in _METHODS:
                setattr(cls, name, _Methods.__dict__[name])
            return make(cls)

        return decorate


class _Methods:
    """What each of the classes gets."""

    def __init__(self: Any, *arguments: Any, **named: Any) -> None:
        fields = self.__dataclass_fields__
        values = dict(zip(fields, arguments))
        if len(arguments) > len(fields) or not named.keys().isdisjoint(values):
            raise TypeError(f"{type(self).__name__}: more than one value for a field")
        values.update(named)
        if len(values) != len(fields) or not values.keys() <= fields.keys():
            _complete(values, fields, what=type(self).__name__)
        self.__dict__.update(values)

    def __repr__(self: Any) -> str:
        shown = (f"{name}={getattr(self, name)!r}" for name, item in self.__dataclass_fields__.items() if item.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __eq__(self, other: object) -> bool:
        return _compared(self) == _compared(other) if other.__class__ is self.__class__ else NotImplemented

    def __hash__(self) -> int:
        return hash(_compared(self))

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")

    def __delattr__(self, name: str) -> NoReturn:
        raise dataclasses.FrozenInstanceError(f"cannot delete field {name!r}")


_METHODS = ("__init__", "__repr__", "__eq__", "__hash__", "__setattr__", "__delattr__")


def _complete(values: dict[str, Any], fields: dict[str, dataclasses.Field[Any]], *, what: str) -> None:
    """Add the defaults of fields that got no value."""
    unknown = values.keys() - fields.keys()
    if unknown:
        raise TypeError(f"{what} has no field {', '.join(sorted(unknown))}")
    for name in fields.keys() - values.keys():
        item = fields[name]
        if item.default is not dataclasses.MISSING:
            values[name] = item.default
        elif item.default_factory is not dataclasses.MISSING:
            values[name] = item.default_factory()
        else:
            raise TypeError(f"{what} needs a value for {name}")


def _compared(item: Any) -> tuple[Any, ...]:
    return tuple(getattr(item, name) for name, field in item.__dataclass_fields__.items() if field.compare)
