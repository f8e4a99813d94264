package dev.lethe.spark.request;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.Set;

/**
 * Which of Spark's built-in functions an expression of a request may call: a list that somebody has
 * looked through, of all that Spark 3.5 to 4.1 register. A function that is on neither list, one of
 * a later Spark, is refused.
 */
final class SqlFunctions {
  /** Functions of their arguments alone, operators by their names. */
  static final Set<String> ALLOWED =
      words(
          """
          ! % & * + - / < << <= <=> = == > >= >> >>> ^ abs acos acosh add_months aggregate and
          array array_append array_compact array_contains array_distinct array_except
          array_insert array_intersect array_join array_max array_min array_position
          array_prepend array_remove array_repeat array_size array_sort array_union
          arrays_overlap arrays_zip ascii asin asinh atan atan2 atanh base64 between bigint
          bin binary bit_count bit_get bit_length boolean bround btrim cardinality cast cbrt
          ceil ceiling char char_length character_length chr coalesce collate collation concat
          concat_ws contains conv convert_timezone cos cosh cot crc32 csc date date_add
          date_diff date_format date_from_unix_date date_part date_sub date_trunc dateadd
          datediff datepart day dayname dayofmonth dayofweek dayofyear decimal decode degrees
          div double e element_at elt encode endswith equal_null exists exp expm1 extract
          factorial filter find_in_set flatten float floor forall format_number format_string
          from_json from_unixtime from_utc_timestamp get get_json_object getbit greatest hash
          hex hour hypot if ifnull ilike in initcap instr int is_valid_utf8 isnan isnotnull
          isnull json_array_length json_object_keys last_day lcase least left len length
          levenshtein like ln locate log log10 log1p log2 lower lpad ltrim luhn_check
          make_date make_dt_interval make_interval make_time make_timestamp make_timestamp_ltz
          make_timestamp_ntz make_valid_utf8 make_ym_interval map map_concat map_contains_key
          map_entries map_filter map_from_arrays map_from_entries map_keys map_values
          map_zip_with mask md5 minute mod month monthname months_between named_struct nanvl
          negative next_day not nullif nullifzero nvl nvl2 octet_length or overlay parse_url
          pi pmod position positive pow power printf quarter quote radians reduce regexp
          regexp_count regexp_extract regexp_extract_all regexp_instr regexp_like
          regexp_replace regexp_substr repeat replace reverse right rint rlike round rpad
          rtrim schema_of_json sec second sentences sha sha1 sha2 shiftleft shiftright
          shiftrightunsigned sign signum sin sinh size slice smallint sort_array soundex space
          split split_part sqrt startswith str_to_map string struct substr substring
          substring_index tan tanh time time_diff time_trunc timestamp timestamp_micros
          timestamp_millis timestamp_seconds tinyint to_binary to_char to_date to_json
          to_number to_time to_timestamp to_timestamp_ltz to_timestamp_ntz to_unix_timestamp
          to_utc_timestamp to_varchar transform transform_keys transform_values translate trim
          trunc try_add try_divide try_element_at try_make_interval try_make_timestamp
          try_make_timestamp_ltz try_make_timestamp_ntz try_mod try_multiply try_parse_url
          try_subtract try_to_binary try_to_date try_to_number try_to_time try_to_timestamp
          try_url_decode try_validate_utf8 ucase unbase64 unhex unix_date unix_micros
          unix_millis unix_seconds unix_timestamp upper url_decode url_encode validate_utf8
          weekday weekofyear when width_bucket xxhash64 year zeroifnull zip_with | ~
          """);

  /** The others, and why. */
  static final Map<String, String> REFUSED = refused();

  private SqlFunctions() {}

  private static Map<String, String> refused() {
    Map<String, String> reasons = new LinkedHashMap<>();
    refuse(
        reasons,
        "is not deterministic",
        """
        rand randn random randstr uniform uuid shuffle monotonically_increasing_id
        spark_partition_id
        """);
    refuse(
        reasons,
        "depends on the input file",
        """
        input_file_name input_file_block_start input_file_block_length
        """);
    refuse(
        reasons,
        "depends on the current time",
        """
        now curdate current_date current_time current_timestamp localtimestamp
        """);
    refuse(
        reasons,
        "depends on the session",
        """
        current_timezone current_user current_catalog current_database current_schema
        session_user user version
        """);
    refuse(
        reasons,
        "calls arbitrary code",
        """
        reflect try_reflect java_method
        """);
    refuse(
        reasons,
        "raises an error",
        """
        raise_error assert_true
        """);
    refuse(
        reasons,
        "is not a function of one row",
        """
        window session_window window_time
        """);
    refuse(
        reasons,
        "yields several columns",
        """
        json_tuple
        """);
    refuse(
        reasons,
        "makes arrays of any length",
        """
        sequence
        """);
    refuse(
        reasons,
        "is an aggregate",
        """
        any any_value approx_count_distinct approx_percentile approx_top_k
        approx_top_k_accumulate approx_top_k_combine array_agg avg bit_and bit_or bit_xor
        bitmap_and_agg bitmap_construct_agg bitmap_or_agg bool_and bool_or collect_list
        collect_set corr count count_if count_min_sketch covar_pop covar_samp every first
        first_value grouping grouping_id histogram_numeric hll_sketch_agg hll_union_agg
        kll_sketch_agg_bigint kll_sketch_agg_double kll_sketch_agg_float kurtosis last
        last_value listagg max max_by mean median min min_by mode percentile
        percentile_approx percentile_cont percentile_disc regr_avgx regr_avgy regr_count
        regr_intercept regr_r2 regr_slope regr_sxx regr_sxy regr_syy schema_of_variant_agg
        skewness some std stddev stddev_pop stddev_samp string_agg sum
        theta_intersection_agg theta_sketch_agg theta_union_agg try_avg try_sum var_pop
        var_samp variance
        """);
    refuse(
        reasons,
        "is a window function",
        """
        cume_dist dense_rank lag lead nth_value ntile percent_rank rank row_number
        """);
    refuse(
        reasons,
        "yields several rows",
        """
        explode explode_outer inline inline_outer posexplode posexplode_outer stack
        """);
    refuse(
        reasons,
        "encrypts or decrypts",
        """
        aes_decrypt aes_encrypt try_aes_decrypt
        """);
    refuse(
        reasons,
        "parses XML, which can name other files",
        """
        from_xml schema_of_xml to_xml xpath xpath_boolean xpath_double xpath_float xpath_int
        xpath_long xpath_number xpath_short xpath_string
        """);
    refuse(
        reasons,
        "is of a kind that requests have no use for",
        """
        approx_top_k_estimate bitmap_bit_position bitmap_bucket_number bitmap_count
        from_avro from_csv from_protobuf hll_sketch_estimate hll_union is_variant_null
        kll_sketch_get_n_bigint kll_sketch_get_n_double kll_sketch_get_n_float
        kll_sketch_get_quantile_bigint kll_sketch_get_quantile_double
        kll_sketch_get_quantile_float kll_sketch_get_rank_bigint kll_sketch_get_rank_double
        kll_sketch_get_rank_float kll_sketch_merge_bigint kll_sketch_merge_double
        kll_sketch_merge_float kll_sketch_to_string_bigint kll_sketch_to_string_double
        kll_sketch_to_string_float parse_json schema_of_avro schema_of_csv schema_of_variant
        st_asbinary st_geogfromwkb st_geomfromwkb st_setsrid st_srid theta_difference
        theta_intersection theta_sketch_estimate theta_union to_avro to_csv to_protobuf
        to_variant_object try_parse_json try_variant_get typeof variant_get
        """);
    return Map.copyOf(reasons);
  }

  private static void refuse(Map<String, String> reasons, String reason, String functions) {
    words(functions).forEach(function -> reasons.put(function, reason));
  }

  private static Set<String> words(String text) {
    return Set.of(text.strip().split("\\s+"));
  }
}
