# Copyright (c) 2026, projectatomic.system_containers contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The image proxy, as far as it needs no process."""

from __future__ import annotations

import pytest

from ansible_collections.projectatomic.system_containers.plugins.module_utils import _image_proxy
from ansible_collections.projectatomic.system_containers.plugins.module_utils._errors import SourceError
from ansible_collections.projectatomic.system_containers.plugins.module_utils._oci_image import (
    Descriptor,
    SourceOptions,
)


def test_protocol_versions() -> None:
    assert _image_proxy._version("0.2.3") < _image_proxy._ENFORCES_POLICY <= _image_proxy._version("0.2.10")
    for version in ("0.2.2", "0.3.0", "1.0.0", "x", None):
        with pytest.raises(SourceError, match="protocol"):
            _image_proxy._version(version)


def test_nothing_but_manifests_without_enforcement() -> None:
    """Were a caller to forget that the signature policy has to be enforced, it would get nothing."""
    proxy = _image_proxy.ImageProxy(SourceOptions(source="docker://localhost/app:1"))
    descriptor = Descriptor(media_type="x", digest="sha256:" + "4" * 64, size=1)
    assert not proxy.enforced
    with pytest.raises(SourceError, match="signature policy of this host was not enforced"):
        proxy.blob(descriptor)
    with pytest.raises(SourceError, match="signature policy of this host was not enforced"):
        proxy.converted_config()
