//! Claims about the real daemon, one a file: it runs as a process of its own, clients and cameras are real, too.
//!
//! What most claims begin with is in [`house`]. Nothing here sleeps for a fixed time to let something happen: tests wait for
//! what they want to see, up to a deadline, and say what was missing.

mod house;
mod wire;

mod a_camera_comes_back;
mod a_camera_returns_within_2_s;
mod a_client_that_does_not_read_hurts_nobody;
mod a_crashing_driver_is_left_alone;
mod a_cut_that_lasts;
mod a_full_disk_ends_a_recording;
mod a_hundred_cameras_leave_nothing_behind;
mod a_hundred_recordings_leave_only_films;
mod a_lost_socket_may_come_back;
mod a_published_stream_reaches_every_viewer;
mod a_recording_of_sound_alone_or_of_pictures_alone;
mod a_recording_plays;
mod a_recording_survives_kills;
mod a_reload_disturbs_nobody;
mod a_session_is_recorded_always;
mod a_sleeping_client_is_bounded;
mod a_viewer_of_another_codec_gets_a_rendition;
mod a_viewer_that_stops_reading_hurts_nobody;
mod a_webhook_that_is_away_gets_everything_later;
mod a_worker_that_fails_is_replaced;
mod a_wrong_file_leaves_no_dead_box;
mod an_absent_camera_is_a_log_line;
mod bad_cameras_hurt_nobody;
mod camera_to_whep;
mod cameras_come_back_after_a_power_cut;
mod come_and_go_leaves_nothing;
mod events_are_told_live;
mod events_reach_the_world;
mod flash_and_beep_stay_together;
mod half_open_connections_cost_nothing;
mod joins_and_notices;
mod keys_reach_what_is_theirs;
mod lost_packets_are_repaired;
mod media_that_broke_comes_back;
mod metrics_are_told;
mod moderators_and_the_application_rule;
mod network;
mod no_job_too_many_is_started;
mod no_path_leads_out_of_its_folder;
mod no_property_runs_a_program;
mod offers_of_the_2_18_client;
mod post_restart_begins_anew;
mod rest_refuses_what_is_wrong;
mod secrets_stay_where_they_belong;
mod sessions_begin_and_end;
mod slow_clients_are_cut_and_slow_readers_are_served;
mod start_contract;
mod stun_is_answered;
mod systemd_hears_of_every_step;
mod the_java_client_is_served;
mod what_was_acknowledged_survives_kills;
mod whep_access;
mod wrong_secrets_have_to_wait;
