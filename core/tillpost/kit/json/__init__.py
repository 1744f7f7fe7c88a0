"""JSON of tills: documents cut into records that keep their bytes, records read strictly, members by type."""

from tillpost.kit.json.from_xml import XmlJsonObject
from tillpost.kit.json.records import JsonRecord, json_records
from tillpost.kit.json.values import JsonObject, parse_clean_json
from tillpost.model.json_values import parse_json

__all__ = ["JsonObject", "JsonRecord", "XmlJsonObject", "json_records", "parse_clean_json", "parse_json"]
