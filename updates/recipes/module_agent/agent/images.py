"""Names of images."""


def get_image_name_from_url(image_url: str) -> str:
    """The last part of an image's reference, without tag and digest: `dokuwiki` for `ghcr.io/nethserver/dokuwiki:1.0`."""
    return image_url.partition("@")[0].rpartition("/")[2].partition(":")[0]
