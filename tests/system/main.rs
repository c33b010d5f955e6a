//! Claims about the real daemon, one a file: it runs as a process of its own, clients and cameras are real, too.
//!
//! What most claims begin with is in [`house`]. Nothing here sleeps for a fixed time to let something happen: tests wait for
//! what they want to see, up to a deadline, and say what was missing.

mod house;

mod a_camera_comes_back;
mod a_client_that_does_not_read_hurts_nobody;
mod a_full_disk_ends_a_recording;
mod a_hundred_recordings_leave_only_films;
mod a_lost_socket_may_come_back;
mod a_published_stream_reaches_every_viewer;
mod a_recording_of_sound_alone_or_of_pictures_alone;
mod a_recording_plays;
mod a_recording_survives_kills;
mod a_viewer_of_another_codec_gets_a_rendition;
mod a_viewer_that_stops_reading_hurts_nobody;
mod an_absent_camera_is_a_log_line;
mod camera_to_whep;
mod flash_and_beep_stay_together;
mod joins_and_notices;
mod lost_packets_are_repaired;
mod media_that_broke_comes_back;
mod moderators_and_the_application_rule;
mod no_job_too_many_is_started;
mod offers_of_the_2_18_client;
mod rest_refuses_what_is_wrong;
mod sessions_begin_and_end;
mod start_contract;
mod stun_is_answered;
mod whep_access;
